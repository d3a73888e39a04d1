/** One worker's turn: claims one partition at a time, as many as time and budget allow. */
import { makeProbe } from "./probe.ts";
import type { CompactionPorts } from "./ports.ts";
import { callCatalog } from "./call_catalog.ts";
import type { MergeCost } from "../plan/merge_cost.ts";
import { turnBudget } from "../plan/pack_outputs.ts";
import { Pace } from "./pace.ts";
import { runClaim } from "./run.ts";
import type { RunReport } from "./run_report.ts";

/** Bounds of a turn. */
export interface TurnOptions {
  /** Names the worker in the catalog. */
  worker: string;
  leaseSeconds: number;
  /** Soft deadline: no claim and no further output is begun after it. */
  turnSeconds: number;
  /** Input bytes that a turn may merge. */
  turnBytes: number;
  /**
   * What a turn may be expected to cost: CPU time can't be read in the isolate. A claim's first output may take all of
   * it, so no claim is begun when half is spent; a further output only when it still fits. @default turnBudget
   */
  budget?: MergeCost;
  /** What outputs take in this process, which its turns share. @default that of a new process */
  pace?: Pace;
  /** Stops the work in the middle; the claim is given back. */
  signal?: AbortSignal;
  /** Stops claiming; what is begun is ended. */
  stopClaiming?: AbortSignal;
}

/** What a turn did. */
export interface TurnReport {
  worker: string;
  runs: RunReport[];
  /** Why it ended. */
  stopped: "empty" | "deadline" | "budget" | "stopped" | "breaker_open";
  ms: number;
}

/** Claims that failed one after the other before a turn ends: the fault may lie with this worker. */
const maxFailures = 3;

/**
 * Takes a turn.
 *
 * @throws SedimentError when the queue can't be asked; a run that fails is in the report instead
 */
export async function takeTurn(ports: CompactionPorts, options: TurnOptions): Promise<TurnReport> {
  const { worker, leaseSeconds, turnSeconds, turnBytes, stopClaiming } = options;
  const budget = options.budget ?? turnBudget;
  const pace = options.pace ?? new Pace(ports.clock);
  const signal = options.signal ?? new AbortController().signal;
  const begun = ports.clock.now();
  const runs: RunReport[] = [];
  let spent = 0, spentMs = 0;
  let failures = 0;

  const reasonToStop = (next?: MergeCost): TurnReport["stopped"] | null => {
    if (signal.aborted || stopClaiming?.aborted || failures >= maxFailures) return "stopped";
    if (ports.clock.now() - begun >= turnSeconds * 1000) return "deadline";
    const mostMs = next === undefined ? budget.cpuMs / 2 : budget.cpuMs - pace.expected(next);
    if (spent >= turnBytes || (spentMs > 0 && spentMs >= mostMs)) return "budget";
    return null;
  };

  let stopped = reasonToStop();
  while (stopped === null) {
    const claimedAt = performance.now();
    const claim = await callCatalog(
      signal,
      (options) => ports.catalog.claimCompaction({ worker, leaseSeconds }, options),
    );
    if (!claim.claimed) {
      if (claim.reason === "breaker_open") {
        if (claim.probe) await makeProbe(ports, claim.probe, signal);
        // Also when this probe was the one that closed it: what waits is due when its wait is over.
        stopped = "breaker_open";
        continue;
      }
      // A request for a whole dataset was spread over its partitions: they are claimed next.
      stopped = claim.reason === "fanned_out" ? reasonToStop() : "empty";
      continue;
    }
    let refused: TurnReport["stopped"] | null = null;
    const report = await runClaim(ports, claim, {
      signal,
      leaseSeconds,
      claimedAt,
      budget,
      mayGoOn: (next) => (refused = reasonToStop(next)) === null,
      spend: (bytes, cost, tookMs) => {
        spent += bytes;
        spentMs += pace.spend(cost, tookMs);
      },
    });
    runs.push(report);
    failures = report.outcome === "failed" ? failures + 1 : 0;
    // what a run was refused, the next claim would be as well: the same partition is queued again
    stopped = refused ?? reasonToStop();
  }
  return { worker, runs, stopped, ms: ports.clock.now() - begun };
}
