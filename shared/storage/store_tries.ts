/** How a store's call is tried again. */
import type { RetryRule } from "../retry.ts";

/** How often, and how long between. */
export interface Tries {
  /** Tries in all. @default 3 */
  tries?: number;
  /** Wait after the first failure, doubled with each further one, half of it by chance. @default 200 */
  waitMs?: number;
}

/** The rule of a store's calls; no store's wish to wait is followed for longer than 5 s. */
export function storeTries({ tries = 3, waitMs = 200 }: Tries = {}): RetryRule {
  return {
    tries,
    waitMs: (failure, clock) =>
      Math.min(5_000, waitMs * 2 ** (failure - 1) * (0.5 + clock.random() / 2)),
    longestRetryAfterMs: 5_000,
  };
}
