/** One worker's turn: claims one partition at a time, as many as time and budget allow. */
import type { CompactionPorts } from "./ports.ts";
import { callCatalog } from "./call_catalog.ts";
import { runClaim } from "./run.ts";
import type { RunReport } from "./run_report.ts";

/** Bounds of a turn. */
export interface TurnOptions {
  /** Names the worker in the catalog. */
  worker: string;
  leaseSeconds: number;
  /** Soft deadline: no claim and no further output is begun after it. */
  turnSeconds: number;
  /** Input bytes that a turn may merge; stands for CPU time, which can't be read in the isolate. */
  turnBytes: number;
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
  stopped: "empty" | "deadline" | "budget" | "stopped";
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
  const signal = options.signal ?? new AbortController().signal;
  const begun = ports.clock.now().getTime();
  const runs: RunReport[] = [];
  let spent = 0;
  let failures = 0;

  const reasonToStop = (): TurnReport["stopped"] | null => {
    if (signal.aborted || stopClaiming?.aborted || failures >= maxFailures) return "stopped";
    if (ports.clock.now().getTime() - begun >= turnSeconds * 1000) return "deadline";
    if (spent >= turnBytes) return "budget";
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
      // A request for a whole dataset was spread over its partitions: they are claimed next.
      stopped = claim.reason === "fanned_out" ? reasonToStop() : "empty";
      continue;
    }
    const report = await runClaim(ports, claim, {
      signal,
      leaseSeconds,
      claimedAt,
      mayGoOn: () => reasonToStop() === null,
      spend: (bytes) => spent += bytes,
    });
    runs.push(report);
    failures = report.outcome === "failed" ? failures + 1 : 0;
    stopped = reasonToStop();
  }
  return { worker, runs, stopped, ms: ports.clock.now().getTime() - begun };
}
