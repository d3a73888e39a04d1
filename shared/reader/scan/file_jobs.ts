/** What is to be decoded of files: their footers are read, and what the columns need is fetched, before its turn. */
import { SedimentError } from "../../errors.ts";
import type { RowGroup } from "../../parquet/format/metadata.ts";
import type { RangeReader } from "../../parquet/format/range_reader.ts";
import type { SchemaTree } from "../../parquet/format/schema.ts";
import { heldReader } from "../bytes/held_bytes.ts";
import { joinExtents, missingExtents } from "../bytes/join_ranges.ts";
import { readAhead } from "../bytes/read_ahead.ts";
import {
  groupExtents,
  groupWeight,
  type ProjectedFile,
  projectFile,
} from "../decode/projected_file.ts";
import { groupBounds } from "../where/bounds.ts";
import { mayMatch } from "../where/prune.ts";
import type { FileScan } from "./file_scan.ts";
import { openBytes, type OpenFile, openFile, type SourceFile } from "./open_file.ts";

/** Files of more values, or larger values, are not held back until all of their rows are known to be good. */
const smallValues = 4_000_000;

/** What is decoded at once. */
export type Job<F> =
  | { kind: "whole"; file: F; projected: ProjectedFile; bytes: Uint8Array; weight: number }
  | {
    kind: "group";
    file: F;
    projected: ProjectedFile;
    group: RowGroup;
    weight: number;
    /** Bytes to be fetched; 0 where the group is read in windows. */
    fetch: number;
    opened: OpenFile<F & SourceFile>;
  }
  | { kind: "nulls"; file: F; rows: number }
  | { kind: "failed"; file: F; error: unknown };

/** A job whose bytes are there, or could not be had. */
export interface Ready<F> {
  job: Job<F>;
  /** Of a group. */
  reader?: RangeReader;
  error?: unknown;
}

/** The jobs of files in order, opened and fetched ahead within the limits. */
export async function* readyJobs<F extends SourceFile>(
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
  for (const group of kept) {
    const bytes = groupExtents(group).reduce((sum, { length }) => sum + length, 0);
    yield {
      kind: "group",
      file,
      projected,
      group,
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
