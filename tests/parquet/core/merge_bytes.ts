/** Merging files in memory by the page merge, and the same rows by DuckDB. */
import { hostLimits } from "../../../shared/compression/host_limits.ts";
import { normalizer } from "../../../shared/parquet/merge/decode/normalize.ts";
import type { MergeResult } from "../../../shared/parquet/merge/merge_plan.ts";
import type { MergeOrder } from "../../../shared/parquet/merge/pages/row_order.ts";
import { mergePages, type PageMergeOptions } from "../../../shared/parquet/merge/page_merge.ts";
import { bytesReader } from "../../../shared/parquet/format/range_reader.ts";
import { MemorySink } from "../memory_sink.ts";

/** Where node:zlib has no limit the kernels know no brotli; elsewhere nothing may need the decoder. */
const byDecoder: PageMergeOptions = hostLimits().brotli ? {} : { normalize: normalizer() };

/** How the pages of a file get into the output. */
export const paths = {
  "as one transaction": {},
  "page by page": { wholeFileBytes: 0, healthyBytes: Infinity, pageRows: 700, windowBytes: 3000 },
  "in slices": {
    wholeFileBytes: 0,
    healthyBytes: Infinity,
    mergeGroupBytes: 0,
    rowGroupBytes: 500,
    pageRows: 700,
    windowBytes: 3000,
  },
  "copied": { healthyBytes: 0, windowBytes: 5000 },
} as const;

/** The settings of one of {@link paths}. */
export type PathName = keyof typeof paths;

/** Merges files in memory. */
export async function mergeBytes(
  files: Uint8Array[],
  expectedRows: number,
  options: PageMergeOptions = {},
  codec: "snappy" | "zstd" = "snappy",
  order?: MergeOrder,
): Promise<{ result: MergeResult; output: Uint8Array<ArrayBuffer> }> {
  const sink = new MemorySink();
  const result = await mergePages(
    {
      inputs: files.map((_, i) => ({ id: `file${i}`, level: 0 })),
      target: { rowGroupBytes: 4 << 20, pageBytes: 1 << 20, codec },
      expectedRows,
      order,
    },
    new Map(files.map((bytes, i) => [`file${i}`, bytesReader(bytes)])),
    sink,
    { ...byDecoder, ...options },
  );
  return { result, output: sink.bytes() };
}
