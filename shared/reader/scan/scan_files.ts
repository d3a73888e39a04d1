/** Files to record batches: opened and fetched ahead within bounds, decoded one after the other, in order. */
import type * as arrow from "apache-arrow";
import { asSedimentError, SedimentError } from "../../errors.ts";
import type { RowGroup } from "../../parquet/format/metadata.ts";
import type { RangeReader } from "../../parquet/format/range_reader.ts";
import type { SchemaTree } from "../../parquet/format/schema.ts";
import type { KernelHost } from "../../parquet/kernels/kernels.ts";
import { isTrap, trapped } from "../../parquet/kernels/trap.ts";
import { heldReader } from "../bytes/held_bytes.ts";
import { joinExtents, missingExtents } from "../bytes/join_ranges.ts";
import { readAhead } from "../bytes/read_ahead.ts";
import { ColumnSet } from "../decode/column_set.ts";
import { decodeGroup } from "../decode/large_group.ts";
import {
  groupExtents,
  groupWeight,
  type ProjectedFile,
  projectFile,
} from "../decode/projected_file.ts";
import { ReaderKernels } from "../decode/reader_kernels.ts";
import { groupBounds } from "../where/bounds.ts";
import type { Filter } from "../where/filter.ts";
import { mayMatch } from "../where/prune.ts";
import type { ScanLimits } from "./limits.ts";
import { openBytes, type OpenFile, openFile, type SourceFile } from "./open_file.ts";
import type { ScanReport } from "./scan_report.ts";

/** What is read of each file. */
export interface FileScan {
  /** The columns that are decoded, as the table has them. */
  tree: SchemaTree;
  /** The same as Arrow has it. */
  schema: arrow.Schema;
  /** Their names; undefined: all columns of the table. */
  names: ReadonlySet<string> | undefined;
  /** Row groups of which no row can meet it are passed over; rows are not looked at. */
  filter?: Filter;
  limits: ScanLimits;
  host: KernelHost;
  report: ScanReport;
  /** Aborted when the scan is over, and to end it. */
  stop: AbortController;
}

/** A file that could not be read. */
export interface Failure<F> {
  file: F;
  error: SedimentError;
  /** Rows of it that had been given. */
  rowsGiven: number;
}

/** Files of more values, or larger values, are not held back until all of their rows are known to be good. */
const smallValues = 4_000_000;

/** What is decoded at once. */
type Job<F> =
  | { kind: "whole"; file: F; projected: ProjectedFile; bytes: Uint8Array; weight: number }
  | {
    kind: "group";
    file: F;
    projected: ProjectedFile;
    group: RowGroup;
    index: number;
    weight: number;
    /** Bytes to be fetched; 0 where the group is read in windows. */
    fetch: number;
    opened: OpenFile<F & SourceFile>;
  }
  | { kind: "nulls"; file: F; rows: number }
  | { kind: "failed"; file: F; error: unknown };

/** A job whose bytes are there. */
type Ready<F> = { job: Job<F>; reader?: RangeReader; error?: unknown };

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

async function* readyJobs<F extends SourceFile>(
  files: AsyncIterable<F>,
  scan: FileScan,
): AsyncGenerator<Ready<F>> {
  const { limits, stop: { signal } } = scan;
  const stop = () => scan.stop.abort(new SedimentError("aborted", "the scan was given up"));
  const opened = readAhead(
    files,
    { count: limits.aheadCount, bytes: limits.aheadBytes / 2 },
    (file) => openBytes(file.reader.size, limits, scan.names === undefined),
    (file) =>
      openFile(file, limits, scan.names === undefined, signal).then(
        (opened) => ({ file, opened }),
        (error) => ({ file, error }),
      ),
    stop,
  );
  const ahead = { count: limits.aheadCount, bytes: limits.aheadBytes / 2 };
  const cost = (job: Job<F>) => job.kind === "group" ? job.fetch : 0;
  yield* readAhead(jobsOf(opened, scan), ahead, cost, async (job): Promise<Ready<F>> => {
    if (job.kind !== "group") return { job };
    const { held, file } = job.opened;
    if (job.fetch === 0 && !isHeld(job)) return { job, reader: file.reader };
    try {
      const missing = missingExtents(groupExtents(job.group), [extentOf(held)]);
      const fetched = await Promise.all(
        joinExtents(missing, limits.gapBytes).map(async ({ start, length }) => ({
          start,
          bytes: await file.reader.read(start, length, signal),
        })),
      );
      return { job, reader: heldReader(file.reader.size, [held, ...fetched]) };
    } catch (error) {
      return { job, error };
    }
  }, stop);
}

const extentOf = (held: { start: number; bytes: Uint8Array }) => ({
  start: held.start,
  length: held.bytes.length,
});

function isHeld<F>({ group, opened }: Job<F> & { kind: "group" }): boolean {
  return missingExtents(groupExtents(group), [extentOf(opened.held)]).length === 0;
}

async function* jobsOf<F extends SourceFile>(
  opened: AsyncIterable<{ file: F; opened?: OpenFile<F>; error?: unknown }>,
  scan: FileScan,
): AsyncGenerator<Job<F>> {
  for await (const { file, opened: open, error } of opened) {
    if (open === undefined) {
      yield { kind: "failed", file, error };
      continue;
    }
    try {
      yield* fileJobs(open, scan);
    } catch (error) {
      yield { kind: "failed", file, error };
    }
  }
}

function* fileJobs<F extends SourceFile>(open: OpenFile<F>, scan: FileScan): Generator<Job<F>> {
  const { file, metadata, tree, held } = open;
  const projected = projectFile(metadata, tree, scan.names);
  if (projected === undefined) {
    // of columns that are all missing even the statistics say that they are null
    const rows = metadata.rowGroups.reduce((sum, { numRows }) => sum + numRows, 0);
    yield { kind: "nulls", file, rows };
    return;
  }
  const orders = ordersOf(open, projected.tree);
  const { filter } = scan;
  const kept = filter === undefined
    ? projected.groups
    : projected.groups.filter((group) =>
      mayMatch(filter, groupBounds(group, orders, projected.tree, scan.tree))
    );
  scan.report.groups += projected.groups.length;
  scan.report.groupsPruned += projected.groups.length - kept.length;
  let values = 0, weight = 0;
  for (const group of kept) {
    const one = groupWeight(group);
    values += one.values;
    weight += one.bytes;
  }
  const whole = held.start === 0;
  if (whole && values <= smallValues && weight <= scan.limits.batchBytes) {
    const job = { ...projected, groups: kept };
    yield { kind: "whole", file, projected: job, bytes: held.bytes, weight };
    return;
  }
  for (const [index, group] of kept.entries()) {
    const bytes = groupExtents(group).reduce((sum, { length }) => sum + length, 0);
    yield {
      kind: "group",
      file,
      projected,
      group,
      index,
      weight: groupWeight(group).bytes,
      fetch: bytes <= scan.limits.groupBytes ? bytes : 0,
      opened: open,
    };
  }
}

/** The footer's column orders for the leaves that are read. */
function ordersOf<F extends SourceFile>(
  { metadata, tree }: OpenFile<F>,
  projected: SchemaTree,
): readonly number[] | undefined {
  if (metadata.columnOrders === undefined || projected === tree) return metadata.columnOrders;
  const byPath = new Map(tree.leaves.map((leaf, i) => [leaf.path.join("\0"), i]));
  return projected.leaves.map((leaf) => metadata.columnOrders![byPath.get(leaf.path.join("\0"))!]);
}
