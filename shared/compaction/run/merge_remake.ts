/** The merge of an output that takes the place of a lost one. */
import type { Remake } from "../../catalog/run_results.ts";
import type { PlannedOutput } from "../plan/plan.ts";
import { failureClass } from "./failure_class.ts";
import { type Merged, mergeInputs } from "./output/merge_inputs.ts";
import type { Claim, CompactionPorts, InputFile } from "./ports.ts";
import type { RunSteps } from "./run_steps.ts";
import { StepError } from "./steps.ts";

/**
 * Merges the files that the lost output had replaced.
 *
 * @param key where the output goes
 * @returns null where it can't be made now, for reasons that are no one's but its own
 * @throws StepError of the environment
 */
export async function mergeRemake(
  ports: Pick<CompactionPorts, "store" | "merge">,
  steps: RunSteps,
  claim: Claim,
  planned: PlannedOutput<InputFile>,
  key: string,
  signal: AbortSignal,
): Promise<Merged | null> {
  const rows = planned.inputs.reduce((sum, { row_count }) => sum + row_count, 0);
  // Whatever the settings are by now: an output that has all rows of its inputs had left none out.
  const asItWas = rows !== claim.remake!.row_count
    ? claim
    : { ...claim, settings: { ...claim.settings, dedupe_keys: [] } };
  try {
    return await steps.step(
      "merge",
      () => mergeInputs(ports, asItWas, planned, key, signal),
    );
  } catch (thrown) {
    // What took the output may have taken all of its inputs, and what fails for this output alone is no reason to give the
    // partition up.
    if (
      thrown instanceof StepError &&
      (thrown.error.extra?.all_missed === true || failureClass(thrown.error) !== "environment")
    ) return null;
    throw thrown;
  }
}

/** Whether a merge gave what the lost output was. */
export function isSameOutput(
  { result }: Pick<Merged, "result">,
  { inputs }: PlannedOutput<InputFile>,
  remake: Remake,
): boolean {
  return result.merged.length === inputs.length &&
    result.rowCount === remake.row_count &&
    result.schemaFingerprint === remake.schema_fingerprint;
}
