/** The guards of shared datasets, each taken out as those of mutations.ts are. Datasets are shared in every tenth seed. */
import type { Mutation } from "./mutations.ts";

/** What the catalog holds of I14. That it holds at a meeting of two, tests/database/concurrency/members_test.ts shows. */
export const memberMutations: Mutation[] = [
  {
    guard: "rights at the stage",
    seed: 16,
    edits: [{
      sqlFunction: "stage_refusal",
      find: "when p_owner <> a.p_user and v_role is null then",
      replace: "when false then",
    }],
  },
  {
    guard: "rights at the commit",
    seed: 26,
    edits: [{
      sqlFunction: "admit_commit",
      find: "perform sediment.require_role(p.user_id, p.dataset_id, 'writer');",
      replace: "",
    }, {
      sqlFunction: "write_commits",
      find: "perform sediment.refuse_removed_writers(p_calls);",
      replace: "",
    }, {
      sqlFunction: "commit_alone",
      find: "perform sediment.refuse_removed_writers(array[v_call]);",
      replace: "",
    }],
  },
  {
    guard: "rights of who sends a duplicate",
    seed: 86,
    edits: [{
      sqlFunction: "first_outcome",
      find:
        "if not sediment.role_suffices(sediment.dataset_role(p.user_id, p.dataset_id), 'writer') then",
      replace: "if false then",
    }],
  },
  {
    guard: "a handover ends open invitations",
    seed: 16,
    edits: [{
      sqlFunction: "hand_over",
      find: "where x.dataset_id = d.id and x.accepted_at is null and x.revoked_at is null;",
      replace: "where false;",
    }],
  },
  {
    guard: "a new owner is no member",
    seed: 56,
    edits: [{
      sqlFunction: "hand_over",
      find: "delete from public.dataset_members m where m.dataset_id = d.id and m.user_id = p_to;",
      replace: "",
    }],
  },
];
