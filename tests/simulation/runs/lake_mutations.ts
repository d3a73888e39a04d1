/** Guards of tables of the lake: that each of their files comes to be one of its own, with the lake's columns. */
import type { Mutation } from "./mutations.ts";

/** See {@link Mutation}. */
export const lakeMutations: Mutation[] = [
  {
    guard: "an upload alone is due in the lake",
    seed: 10,
    edits: [{
      sqlFunction: "next_look",
      find: "if (v_files > 1 or p_lake) and",
      replace: "if v_files > 1 and",
    }],
  },
  {
    guard: "outputs of before are marked",
    seed: 32,
    edits: [{
      sqlFunction: "advance_lake",
      find: "perform public.mark_for_rewrite((",
      replace: "perform ((",
    }],
  },
];
