/** What the catalog is told of an output. */
import { catalogFacts } from "../../catalog/file_facts.ts";
import type { OutputFile } from "../../catalog/run_results.ts";
import type { MergeResult } from "../../parquet/merge/merge_plan.ts";

/** The row of an output that was put. */
export function outputRow(
  result: MergeResult,
  object: Pick<OutputFile, "object_key" | "size" | "etag" | "checksum">,
): OutputFile {
  return {
    ...object,
    ...catalogFacts(result),
    lake_version: result.hasConstants === undefined ? null : Number(result.hasConstants),
    provenance_start: result.origins?.start ?? null,
    provenance_length: result.origins?.length ?? null,
  };
}
