/** The guards of deletion and of ends by age, each taken out as those of mutations.ts are. Somebody deletes in every third seed. */
import type { Mutation } from "./mutations.ts";

/** Every guard of shared/deletion/SPEC.md that the catalog holds. */
export const deletionMutations: Mutation[] = [
  {
    guard: "readers heed the mark",
    seed: 15,
    edits: [{
      sqlFunction: "list_files",
      find: "and not (v_marks and sediment.is_marked(x, v_version))",
      replace: "",
    }],
  },
  {
    guard: "no stage outlives the mark",
    seed: 9,
    edits: [{
      sqlFunction: "write_commits",
      find: "perform sediment.refuse_deleted_stages(p_calls);",
      replace: "",
    }, {
      sqlFunction: "commit_alone",
      find: "perform sediment.refuse_deleted_stages(array[v_call]);",
      replace: "",
    }],
  },
  {
    guard: "no merge of what is marked",
    seed: 171,
    edits: [{
      sqlFunction: "replace_files",
      find: "perform sediment.refuse_marked_inputs(p, p_run, p_inputs);",
      replace: "",
    }],
  },
  {
    guard: "a deletion ends the run",
    seed: 18,
    edits: [{
      sqlFunction: "end_partition_run",
      find: "where r.id in (p.run_id, p.next_run_id);",
      replace: "where false;",
    }],
  },
  {
    guard: "what came since stays",
    seed: 9,
    edits: [{
      sqlFunction: "remove_marked",
      find: "and y.removed_version is null and y.added_version < x.version",
      replace: "and y.removed_version is null",
    }, {
      sqlFunction: "remove_marked",
      find: "and z.version > f.added_version\n",
      replace: "\n",
    }],
  },
  {
    guard: "what two deletions cover goes with the first",
    seed: 15,
    edits: [{
      sqlFunction: "remove_marked",
      find: "select min(z.version) from public.deletions z",
      replace: "select max(z.version) from public.deletions z",
    }],
  },
  {
    guard: "a slice that is full goes on",
    seed: 12,
    edits: [{
      sqlFunction: "remove_marked",
      find: "    exit when v_files >= p_limit; -- there may be more in this one\n",
      replace: "",
    }],
  },
  {
    guard: "a purge takes what merges had replaced",
    seed: 3,
    edits: [{
      sqlFunction: "purge_removed",
      find: "and y.removed_version <= x.version",
      replace: "and y.removed_version = x.version",
    }],
  },
  {
    guard: "what others share with a purge is split",
    seed: 60,
    edits: [{
      sqlFunction: "split_purged",
      find: "perform sediment.plan_splits(v_uploads, 'deletion ' || x.id);",
      replace: "null;",
    }],
  },
  {
    guard: "a healing brings no deleted bytes back",
    seed: 3,
    edits: [{
      sqlFunction: "heal_upload",
      find: "perform sediment.plan_splits(array[u.id], 'deleted slices came again with others');",
      replace: "",
    }],
  },
  {
    guard: "a merge takes no deleted rows along",
    seed: 105,
    edits: [{
      sqlFunction: "replace_files",
      find: "v_dropped := sediment.check_dropped(p, v_in.seqs, p_dropped);",
      replace:
        "select coalesce(sum(d.value::bigint), 0) into v_dropped from jsonb_each_text(coalesce(nullif(p_dropped, 'null'), '{}')) d;",
    }],
  },
  {
    guard: "an upload is gone when no file is left that may hold it",
    seed: 168,
    edits: [{
      sqlFunction: "settle_slices",
      find: "and f.removed_version is null and sediment.seqs_of(f) @> s.seq)",
      replace: "and false)",
    }],
  },
  {
    guard: "a wider deletion carries out a narrower one",
    seed: 3,
    edits: [{
      sqlFunction: "remove_marked",
      find: 'perform sediment.settle_slices(p.dataset_id, p."table", p.period_tag, x.version);',
      replace: "null;",
    }],
  },
  {
    guard: "a deleted upload is not answered for",
    seed: 9,
    edits: [{
      sqlFunction: "first_outcome",
      find: "and sediment.upload_deleted_at(v_first) is not null",
      replace: "and false",
    }, {
      sqlFunction: "read_stage_calls",
      find: "then sediment.upload_deleted_at(u) end as at",
      replace: "then null::timestamptz end as at",
    }],
  },
  {
    guard: "rows that came again are new",
    seed: 9,
    edits: [{
      sqlFunction: "upload_deleted_at",
      find: "and d.version > sediment.upload_version(u)",
      replace: "",
    }, {
      sqlFunction: "admit_upload",
      find: "and d.deletion_version > sediment.upload_version(u)\n",
      replace: "",
    }, {
      sqlFunction: "read_stage_calls",
      find: "case when d.deletion_version > coalesce(u.version, (u.answer ->> 'version')::bigint)",
      replace: "case when true",
    }, {
      sqlFunction: "first_outcome",
      find: "and d.deletion_version > sediment.upload_version(v_first))",
      replace: ")",
    }],
  },
  {
    // looked at all the time in each 27th seed (ager.ts)
    guard: "an output is as young as its youngest row",
    seed: 1134,
    edits: [{
      sqlFunction: "replace_files",
      find: "max(coalesce(f.youngest_at, f.uploaded_at)) as youngest_at",
      replace: "min(coalesce(f.youngest_at, f.uploaded_at)) as youngest_at",
    }],
  },
  {
    guard: "tags that are no dates do not end",
    seed: 9,
    edits: [{
      sqlFunction: "date_of_tag",
      find: "    return null;\n  end if;",
      replace: "    return date '2000-01-01' + length(p_tag) + ascii(p_tag);\n  end if;",
    }],
  },
];
