/** What the catalog is told of an output. */
import type { OutputFile } from "../../catalog/run_results.ts";
import type { MergeResult } from "../../parquet/merge/merge_plan.ts";

/** The row of an output that was put. */
export function outputRow(
  result: MergeResult,
  object: Pick<OutputFile, "object_key" | "size" | "etag" | "checksum">,
): OutputFile {
  return {
    ...object,
    row_count: result.rowCount,
    row_group_count: result.rowGroupCount,
    uncompressed_bytes: result.uncompressedBytes,
    value_count: result.valueCount,
    merge_facts: result.mergeFacts,
    schema_fingerprint: result.schemaFingerprint,
    schema: result.schema,
    stats: result.stats,
  };
}
