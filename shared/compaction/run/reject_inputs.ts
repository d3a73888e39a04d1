/** What a merge did not take of its inputs, told to the catalog, so that no later plan tries it as it was. */
import type { MergeResult } from "../../parquet/merge/merge_plan.ts";
import { plannerVersion } from "../plan/planner_version.ts";
import type { InputFile } from "./ports.ts";
import type { RunReport } from "./run_report.ts";
import type { RunSteps } from "./run_steps.ts";

/** Quarantines what can't be read, and counts it in the report. */
export async function quarantineInputs(
  steps: RunSteps,
  report: Pick<RunReport, "quarantined">,
  { rejected }: MergeResult,
  inputs: InputFile[],
): Promise<void> {
  const keys = new Map(inputs.map((input) => [String(input.id), input.object_key]));
  for (const { id, error, apart } of rejected) {
    if (apart) continue;
    const { state } = await steps.call("update-metadata", "quarantineFile", {
      file: Number(id),
      code: error.code,
      reason: error.message,
      objectKey: keys.get(id) ?? null,
    });
    if (state === "quarantined") report.quarantined++;
  }
}

/** Sets apart sound files that have no place beside the others; gives whether that is new to the catalog. */
export async function setInputsApart(
  steps: RunSteps,
  { rejected }: MergeResult,
  inputs: InputFile[],
): Promise<boolean> {
  const files = rejected.flatMap(({ id, error, apart: kind }) => {
    const { id: file, object_key: key } = inputs.find((input) => String(input.id) === id)!;
    return kind ? [{ id: Number(file), object_key: key, kind, reason: error.message }] : [];
  });
  if (files.length === 0) return false;
  const { changed } = await steps.call("update-metadata", "setApart", {
    files,
    planner: plannerVersion,
  });
  return changed > 0;
}
