/** Files to record batches, decoded one after the other, in order. */
import type * as arrow from "apache-arrow";
import { asSedimentError, SedimentError } from "../../errors.ts";
import { isTrap, trapped } from "../../parquet/kernels/trap.ts";
import { ColumnSet } from "../decode/column_set.ts";
import { decodeGroup } from "../decode/large_group.ts";
import { ReaderKernels } from "../decode/reader_kernels.ts";
import { type Job, readyJobs } from "./file_jobs.ts";
import type { FileScan } from "./file_scan.ts";
import type { ScanLimits } from "./limits.ts";
import type { SourceFile } from "./open_file.ts";

/** A file that could not be read. */
export interface Failure<F> {
  file: F;
  error: SedimentError;
  /** Rows of it that had been given. */
  rowsGiven: number;
}

/**
 * The record batches of files. Their rows are in order; a batch may hold rows of several files.
 * @param onFailure called for a file that can't be read; what it throws ends the scan
 */
export async function* scanFiles<F extends SourceFile>(
  files: AsyncIterable<F>,
  scan: FileScan,
  onFailure: (failure: Failure<F>) => void,
): AsyncGenerator<arrow.RecordBatch> {
  const { limits, report } = scan;
  let set: ColumnSet | undefined;
  let pending = 0;
  /** The file that failed, of which nothing more is decoded. */
  let failed: F | undefined;
  let given = 0;
  let current: F | undefined;

  const batch = (rows: number): arrow.RecordBatch => {
    report.rowsRead += rows;
    return set!.take(rows);
  };
  function* flush(least: number) {
    while (set !== undefined && set.rows > 0 && set.rows >= least) {
      yield batch(Math.min(set.rows, limits.batchRows));
    }
    if (set !== undefined && set.rows === 0) pending = 0;
  }
  const fail = (file: F, thrown: unknown) => {
    scan.stop.signal.throwIfAborted();
    const error = isTrap(thrown) ? trapped(thrown) : asSedimentError(thrown);
    if (isTrap(thrown)) set = undefined;
    failed = file;
    onFailure({ file, error: named(error, file), rowsGiven: given });
  };

  for await (const { job, reader, error } of readyJobs(files, scan)) {
    if (job.file !== current) {
      current = job.file;
      given = 0;
    }
    if (job.file === failed) continue;
    if (job.kind === "failed" || error !== undefined) {
      yield* flush(0);
      fail(job.file, job.kind === "failed" ? job.error : error);
      continue;
    }
    if (job.kind === "whole" && pending + job.weight > limits.batchBytes) yield* flush(0);
    if (job.kind === "group") yield* flush(0);
    try {
      set ??= newSet(scan);
      if (job.kind === "whole") {
        set.appendWhole(job.projected, job.bytes);
        pending += job.weight;
      } else if (job.kind === "nulls") {
        for (let left = job.rows; left > 0;) {
          left -= set.appendMissing(Math.min(left, limits.batchRows));
          yield* flush(limits.batchRows);
        }
      } else {
        const layout = set.layout(job.projected.tree);
        const options = { ...limits, windowBytes: windowOf(job, limits), signal: scan.stop.signal };
        const { group } = job;
        for await (const rows of decodeGroup(set, layout, group, reader!, job.weight, options)) {
          yield batch(rows);
          given += rows;
        }
      }
    } catch (thrown) {
      if (job.kind === "group") set?.clear();
      // a trap takes with it what waited
      if (isTrap(thrown) && set !== undefined && set.rows > 0) {
        throw named(trapped(thrown), job.file);
      }
      fail(job.file, thrown);
      continue;
    }
    yield* flush(limits.batchRows);
  }
  yield* flush(0);
}

function newSet({ limits, host, tree, schema }: FileScan): ColumnSet {
  const kernels = new ReaderKernels({
    memoryBytes: limits.decoderBytes,
    pageBytes: 64 * 1024 * 1024,
    pageValues: 16 * 1024 * 1024,
  }, host);
  return new ColumnSet(kernels, tree, schema);
}

function named(error: SedimentError, file: SourceFile): SedimentError {
  return new SedimentError(error.code, `${file.name}: ${error.message}`, {
    field: error.field,
    expected: error.expected,
    extra: error.extra,
    cause: error,
  });
}

/** Bytes that are handed on at a time: where they are read for it, the windows of all columns together are bounded. */
function windowOf<F>(job: Job<F> & { kind: "group" }, limits: ScanLimits): number {
  const KiB = 1024;
  if (job.fetch > 0) return 512 * KiB;
  const columns = Math.max(1, job.projected.tree.leaves.length);
  return Math.max(64 * KiB, Math.min(2048 * KiB, Math.floor(limits.groupBytes / columns)));
}
