/** What a run is told by the turn that it is a part of. */
import type { MergeCost } from "../plan/merge_cost.ts";

/** See the module's head. */
export interface RunOptions {
  /** Stops the run's work in the middle. */
  signal: AbortSignal;
  leaseSeconds: number;
  /** `performance.now()` of before the claim: the lease is counted from there. */
  claimedAt: number;
  /** What one output may be expected to cost. */
  budget: MergeCost;
  /** Asked before each further output; false ends the run with what is committed, the rest is queued again. */
  mayGoOn(next?: MergeCost): boolean;
  /** Told of each output's input bytes, of what it was expected to cost, and of the ms that merging it took. */
  spend(bytes: number, cost: MergeCost, tookMs: number): void;
}
