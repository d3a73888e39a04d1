/** Guards of what waits for company: that no wake-up is lost though not each upload makes a run. */
import type { Mutation } from "./mutations.ts";

/** See {@link Mutation}. */
export const waitingMutations: Mutation[] = [
  {
    guard: "a full tier is looked at",
    seed: 1,
    edits: [{
      sqlFunction: "next_look",
      find: "if p_files[i] >= greatest(p_min_inputs, 2) then",
      replace: "if p_files[i] > greatest(p_min_inputs, 2) then",
    }],
  },
  {
    guard: "age makes due",
    seed: 1,
    edits: [{
      sqlFunction: "next_look",
      find: "if v_files > 1 and p_oldest[i] is not null then",
      replace: "if false then",
    }],
  },
  {
    guard: "what came since the claim",
    seed: 1,
    edits: [{
      sqlFunction: "close_run",
      find: "v_tiers := sediment.add_tiers(v_tiers, p.tier_files);",
      replace: "null;",
    }],
  },
  {
    guard: "the unknown is looked at",
    seed: 1,
    edits: [{
      sqlFunction: "next_look",
      find: "if p_files is null then\n    return p_now;",
      replace: "if p_files is null then\n    return null;",
    }],
  },
  {
    guard: "neighbours of what was deleted",
    seed: 1,
    edits: [{
      sqlFunction: "look_again",
      find: "case when x.msg_id is null then clock_timestamp() else x.due_at end",
      replace: "x.due_at",
    }],
  },
  {
    guard: "settings that change during a run",
    seed: 1,
    edits: [{
      sqlFunction: "close_run",
      find: "(select s.plan_changed_at >= p.claimed_at from public.service_settings s)",
      replace: "false",
    }],
  },
];
