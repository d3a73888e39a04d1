/** Guards of the lake's snapshots: what they show they show whole, once, and as long as they are kept. */
import type { Mutation } from "./mutations.ts";

/** See {@link Mutation}. */
export const publicationMutations: Mutation[] = [
  {
    guard: "a dataset's news are published together",
    seed: 10,
    edits: [{
      sqlFunction: "publish_lake",
      find: "where p.dataset_id = any (array(select f.dataset_id from first f))",
      replace:
        "where p.id = any (array(select x.id from public.lake_pending x where x.dataset_id is not null order by x.id limit p_files))",
    }],
  },
  {
    guard: "what is set aside leaves the lake",
    seed: 65,
    edits: [{
      sqlFunction: "note_lake_file",
      find: "begin\n  insert",
      replace:
        "begin\n  if tg_op = 'UPDATE' and new.removed_version is not distinct from old.removed_version then return null; end if;\n  insert",
    }],
  },
  {
    guard: "no vacuum takes what the lake shows",
    seed: 21,
    edits: [{
      sqlFunction: "run_vacuum",
      find: "and (x.level = 0 or",
      replace: "and (true or",
    }],
  },
  {
    guard: "a purge takes files out of the lake",
    seed: 87,
    edits: [{
      sqlFunction: "purge_removed",
      find: "if v_of_lake is not null then",
      replace: "if false then",
    }],
  },
  {
    guard: "a snapshot that is kept keeps its files",
    seed: 21,
    edits: [{
      sqlFunction: "prune_lake",
      find: "where y.end_snapshot <= v_oldest",
      replace: "where y.end_snapshot is not null",
    }],
  },
];
