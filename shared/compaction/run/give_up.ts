/** How a run ends that could not be worked on. */
import { asSedimentError, type SedimentError } from "../../errors.ts";
import { callCatalog } from "./call_catalog.ts";
import type { Claim, CompactionPorts } from "./ports.ts";
import type { RunReport } from "./run_report.ts";

/** Milliseconds that giving a claim back may take: the isolate may be about to end. */
const giveBackMs = 10_000;

/**
 * Tells the catalog that a run failed, also when the turn was stopped. Nothing is deleted: when a commit's answer is
 * unknown its output may be visible, and what is not visible is swept by the catalog's own books. Never throws.
 */
export async function giveUp(
  ports: Pick<CompactionPorts, "catalog">,
  claim: Claim,
  report: RunReport,
  step: string,
  error: SedimentError,
): Promise<void> {
  if (error.code === "lease_lost" || error.code === "run_finished") {
    report.outcome = "lost";
    report.error = { code: error.code, step, message: error.message, permanent: false };
    return;
  }
  const permanent = isPermanent(error, claim.attempt);
  report.outcome = "failed";
  report.error = { code: error.code, step, message: error.message, permanent };
  const failure = {
    run: claim.run_id,
    token: claim.token,
    code: error.code,
    message: error.message,
    step,
    permanent,
  };
  try {
    await callCatalog(
      new AbortController().signal,
      (options) => ports.catalog.failCompaction(failure, options),
      giveBackMs,
    );
  } catch (thrown) {
    // The lease runs out by itself and the message comes back.
    report.error.message += ` (and fail_compaction: ${asSedimentError(thrown).message})`;
  }
}

/** Tries of an output that our own checks refuse, the second one planned smaller. */
const mostRefusals = 2;

/** Whether trying again can't help. Inputs that don't fit any more are planned again next time. */
export function isPermanent(error: SedimentError, attempt = 1): boolean {
  if (error.code === "output_refused") return attempt >= mostRefusals;
  return !error.retryable && error.code !== "inputs_changed" &&
    error.code !== "inputs_not_adjacent";
}
