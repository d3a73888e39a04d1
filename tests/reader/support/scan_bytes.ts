/** Scans of files in memory, without a service. */
import type * as arrow from "apache-arrow";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { bytesReader } from "../../../shared/parquet/format/range_reader.ts";
import type { KernelHost } from "../../../shared/parquet/kernels/kernels.ts";
import { unionSchema } from "../../../shared/parquet/merge/union/union_schema.ts";
import { readerUnion } from "../../../shared/readers/unite_table.ts";
import { usualSpelling } from "../../../shared/readers/usual_spelling.ts";
import { arrowSchema } from "../../../shared/reader/arrow/arrow_field.ts";
import { projectedTree } from "../../../shared/reader/decode/projected_file.ts";
import { readerHost } from "../../../shared/reader/decode/reader_host.ts";
import { defaultLimits, type ScanLimits } from "../../../shared/reader/scan/limits.ts";
import { type Failure, scanFiles } from "../../../shared/reader/scan/scan_files.ts";
import { emptyReport, type ScanReport } from "../../../shared/reader/scan/scan_report.ts";
import type { SourceFile } from "../../../shared/reader/scan/open_file.ts";

/** What a scan of bytes may be told. */
export interface ScanBytesOptions {
  columns?: string[];
  limits?: Partial<ScanLimits>;
  host?: KernelHost;
  onFailure?: (failure: Failure<SourceFile>) => void;
}

/** The batches of files, united by the merge's rules, and what the scan did. */
export async function scanBytes(
  files: readonly Uint8Array[],
  { columns, limits, host = readerHost(), onFailure }: ScanBytesOptions = {},
): Promise<{ schema: arrow.Schema; batches: arrow.RecordBatch[]; report: ScanReport }> {
  const names = columns && new Set(columns);
  const tree = projectedTree(
    unionSchema(files.map((bytes) => usualSpelling(inspectParquetBytes(bytes).tree)), readerUnion),
    names,
  );
  const schema = arrowSchema(tree);
  const report = emptyReport();
  async function* sources(): AsyncGenerator<SourceFile> {
    for (const [i, bytes] of files.entries()) {
      yield { name: `file ${i}`, reader: bytesReader(bytes) };
    }
  }
  const batches: arrow.RecordBatch[] = [];
  const scan = {
    tree,
    schema,
    names,
    limits: { ...defaultLimits, ...limits },
    host,
    report,
    stop: new AbortController(),
  };
  const fail = onFailure ?? (({ error }: Failure<SourceFile>) => {
    throw error;
  });
  for await (const batch of scanFiles(sources(), scan, fail)) batches.push(batch);
  return { schema, batches, report };
}
