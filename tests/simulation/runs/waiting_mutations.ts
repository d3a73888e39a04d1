/** Guards of what waits for company: that no wake-up is lost though not each upload makes a run. */
import type { Mutation } from "./mutations.ts";

/** See {@link Mutation}. */
export const waitingMutations: Mutation[] = [
  {
    guard: "a full tier is looked at",
    seed: 3,
    edits: [{
      sqlFunction: "next_look",
      find: "if p_files[i] >= greatest(p_min_inputs, 2) then",
      replace: "if p_files[i] > greatest(p_min_inputs, 2) then",
    }],
  },
  {
    guard: "age makes due",
    seed: 31,
    edits: [{
      sqlFunction: "next_look",
      find: "if (v_files > 1 or p_lake) and p_oldest[i] is not null then",
      replace: "if false then",
    }],
  },
  {
    guard: "what came since the claim",
    seed: 17,
    edits: [{
      sqlFunction: "close_run",
      find: "v_tiers := sediment.add_tiers(v_tiers, p.tier_files);",
      replace: "null;",
    }],
  },
  {
    guard: "the unknown is looked at",
    seed: 16,
    edits: [{
      sqlFunction: "next_look",
      find: "if p_files is null then\n    return p_now;",
      replace: "if p_files is null then\n    return null;",
    }],
  },
  {
    guard: "looking again when settings have changed",
    seed: 10,
    edits: [{
      sqlFunction: "sweep",
      find: "and x.last_considered_at < v_settings.plan_changed_at",
      replace: "and false",
    }],
  },
  {
    guard: "an unknown schema may belong to any group",
    seed: 61,
    edits: [{
      sqlFunction: "next_look",
      find: "sediment.add_tiers(sediment.tier_files_of(g.value), o.files)",
      replace: "sediment.tier_files_of(g.value)",
    }],
  },
  {
    guard: "looking again at neighbours of what has left",
    seed: 108,
    edits: [{
      sqlFunction: "look_again",
      find: "case when x.msg_id is null then clock_timestamp() else x.due_at end",
      replace: "x.due_at",
    }],
  },
];
