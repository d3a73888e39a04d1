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
];
