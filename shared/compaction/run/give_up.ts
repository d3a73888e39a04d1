/** How a run ends that could not be worked on. */
import { asSedimentError, type SedimentError } from "../../errors.ts";
import { callCatalog } from "./call_catalog.ts";
import { failedPart, type FailureClass, failureClass, isPermanent } from "./failure_class.ts";
import type { Claim, CompactionPorts } from "./ports.ts";
import type { RunReport } from "./run_report.ts";
import { runStep } from "./steps.ts";

/** Milliseconds that a call may take which gives a claim back: the isolate may be about to end. */
const giveBackMs = 10_000;

/**
 * Tells the catalog that a run failed, also when the turn was stopped. Nothing is deleted: when a commit's answer is
 * unknown its output may be visible, and what is not visible is swept by the catalog's own books. Never throws.
 *
 * @param turn has fired where the turn was stopped: then what was broken off is nobody's fault
 */
export async function giveUp(
  ports: Pick<CompactionPorts, "catalog" | "clock">,
  claim: Claim,
  report: RunReport,
  step: string,
  error: SedimentError,
  turn: AbortSignal,
): Promise<void> {
  if (error.code === "lease_lost" || error.code === "run_finished") {
    report.outcome = "lost";
    report.error = {
      code: error.code,
      step,
      message: error.message,
      class: "work",
      permanent: false,
    };
    return;
  }
  const permanent = isPermanent(error, claim.attempt);
  const fault = faultOf(error, turn);
  report.outcome = "failed";
  report.error = { code: error.code, step, message: error.message, class: fault, permanent };
  const failure = {
    run: claim.run_id,
    token: claim.token,
    code: error.code,
    message: error.message,
    step,
    permanent,
    class: fault,
    part: fault === "environment" ? failedPart(error) : null,
  };
  const signal = new AbortController().signal;
  const tell = () =>
    callCatalog(
      signal,
      (options) => ports.catalog.failCompaction(failure, options),
      giveBackMs,
    );
  try {
    // A claim that can't be given back looks like one whose worker died, so it is tried again; not by a turn that was
    // stopped, whose isolate ends.
    await (turn.aborted ? tell() : runStep("update-metadata", ports.clock, signal, tell));
  } catch (thrown) {
    // The lease runs out by itself and the message comes back.
    report.error.message += ` (and fail_compaction: ${asSedimentError(thrown).message})`;
  }
}

/** A merge that a lease was too short for is work that was too much; only a turn that was stopped is nobody's fault. */
function faultOf(error: SedimentError, turn: AbortSignal): FailureClass {
  return error.code === "aborted" && !turn.aborted ? "work" : failureClass(error);
}
