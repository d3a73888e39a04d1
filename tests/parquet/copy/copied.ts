import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import type { MergeResult } from "../../../shared/parquet/merge/merge_plan.ts";
import { mergePages } from "../../../shared/parquet/merge/page_merge.ts";
import { bytesReader } from "../../../shared/parquet/format/range_reader.ts";
import { paths } from "../core/merge_bytes.ts";
import { MemorySink } from "../memory_sink.ts";

/** Copies the row groups of one file of a level. */
export async function copied(
  bytes: Uint8Array,
  level: number,
): Promise<{ result: MergeResult; output: Uint8Array<ArrayBuffer> }> {
  const sink = new MemorySink();
  const target = { rowGroupBytes: 4 << 20, pageBytes: 1 << 20, codec: "snappy" as const };
  const { numRows } = footerOfBytes(bytes).metadata;
  const result = await mergePages(
    { inputs: [{ id: "file", level }], target, expectedRows: numRows },
    new Map([["file", bytesReader(bytes)]]),
    sink,
    { settings: { ...paths.copied, wholeFileBytes: 0 } },
  );
  return { result, output: sink.bytes() };
}
