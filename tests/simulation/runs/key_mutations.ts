/** The guards of read-only keys, each taken out as those of mutations.ts are. There are keys where datasets are shared. */
import type { Mutation } from "./mutations.ts";

/** What the catalog holds of I15. */
export const keyMutations: Mutation[] = [
  {
    guard: "a handover ends keys",
    seed: 16,
    edits: [{
      sqlFunction: "hand_over",
      find: "perform sediment.end_keys(d.id, 'handed_over');",
      replace: "",
    }],
  },
  {
    guard: "the deletion of a dataset ends its keys",
    seed: 336,
    edits: [{
      sqlFunction: "mark_deletion",
      find: "perform sediment.end_keys(d.id, 'dataset_deleted');",
      replace: "null;",
    }],
  },
  {
    guard: "a key that is revoked reads no more",
    seed: 16,
    edits: [{
      sqlFunction: "end_keys",
      find: "delete from public.dataset_members m\n  where m.dataset_id = p_dataset",
      replace: "delete from public.dataset_members m\n  where false and m.dataset_id = p_dataset",
    }],
  },
  {
    guard: "a key that has expired reads no more",
    seed: 6,
    edits: [{
      sqlFunction: "dataset_role",
      find: "and (m.expires_at is null or m.expires_at > clock_timestamp())",
      replace: "",
    }],
  },
  {
    guard: "a key that has ended is not finished",
    seed: 126,
    edits: [{
      sqlFunction: "commit_key",
      find: "where x.id = p_key and x.ended_at is null and x.expires_at > clock_timestamp()",
      replace: "where x.id = p_key",
    }],
  },
  {
    guard: "URLs end with their key",
    seed: 36,
    edits: [{
      sqlFunction: "list_files",
      find: "where m.dataset_id = d.id and m.user_id = p_user and m.expires_at is not null))",
      replace: "where false))",
    }],
  },
  {
    guard: "a key has no dataset of its own",
    seed: 16,
    edits: [{
      sqlFunction: "check_dataset_quota",
      find: "perform sediment.refuse_key(p_user);",
      replace: "",
    }],
  },
];
