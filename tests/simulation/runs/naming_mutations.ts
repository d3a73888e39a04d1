/** The guards of renamed tables, each taken out as those of mutations.ts are. Tables are renamed in every fifth seed. */
import type { Mutation } from "./mutations.ts";

/** What the catalog holds of names that stay a table's own. */
export const namingMutations: Mutation[] = [
  {
    guard: "names are never reused",
    seed: 17,
    edits: [{
      sqlFunction: "rename_table",
      find: "if sediment.table_of(d.id, p_name) <> v_table and (",
      replace: "if false and (",
    }],
  },
  {
    guard: "no stage outlives a rename",
    seed: 17,
    edits: [{
      sqlFunction: "write_commits",
      find: "perform sediment.refuse_renamed_stages(p_calls, v_files);",
      replace: "",
    }, {
      sqlFunction: "commit_alone",
      find: "perform sediment.refuse_renamed_stages(array[v_call], array[v_file]);",
      replace: "",
    }],
  },
  {
    guard: "one identity under all names",
    seed: 17,
    edits: [{
      sqlFunction: "respell_stages",
      find: "if not exists (\n    select 1 from jsonb_array_elements(v_calls) as c",
      replace: "if true or not exists (\n    select 1 from jsonb_array_elements(v_calls) as c",
    }, {
      sqlFunction: "write_commits",
      find: "perform sediment.refuse_renamed_stages(p_calls, v_files);",
      replace: "",
    }, {
      sqlFunction: "commit_alone",
      find: "perform sediment.refuse_renamed_stages(array[v_call], array[v_file]);",
      replace: "",
    }],
  },
];
