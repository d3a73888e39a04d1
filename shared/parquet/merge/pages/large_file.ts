import { SedimentError } from "../../../errors.ts";
import { copyGroup } from "../copy/copy_group.ts";
import { kernelErrors } from "../../kernels/kernel_error.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import type { FileTail } from "../../format/footer.ts";
import type { FileMetaData } from "../../format/metadata.ts";
import { atPlace } from "../../format/parquet_error.ts";
import { type RangeReader, throwIfAborted } from "../../format/range_reader.ts";
import type { SchemaTree } from "../../format/schema.ts";
import type { ParquetFile } from "../../write/parquet_file.ts";
import type { RowOrigins } from "../../write/row_origins.ts";
import type { GroupBuilder } from "./group_builder.ts";
import type { Layout } from "./known_layout.ts";
import { appendLargeGroup, groupBytes, type LargeGroup } from "./large_group.ts";
import type { MergeSettings } from "./merge_settings.ts";
import { appendInSlices } from "./sliced_group.ts";

/** A file too large to be held back. */
export interface LargeFile {
  layout: Layout;
  metadata: FileMetaData;
  /** What is read: the input, or what it was decoded to. */
  reader: RangeReader;
  /** Its end, when that was read with the footer. */
  tail?: FileTail;
  /** Whether an earlier merge wrote it. */
  trusted: boolean;
  /** Its row groups with rows that are left out. */
  from: number;
  /** Where its rows came from, when that is known. */
  origins?: RowOrigins;
}

/** Where a large file goes. */
export interface LargeFileTarget {
  kernels: Kernels;
  builder: GroupBuilder;
  /** The output's schema. */
  output: SchemaTree;
  file: ParquetFile;
  settings: MergeSettings;
  /** Whether row groups are sorted, and whether rows with equal keys are left out, which no row group bounds. */
  ordered: boolean;
  dedupes: boolean;
  /** Where rows are left out and not sorted: whether some of a stretch of the input's rows are. */
  filter?: (from: number, rows: number) => boolean;
  /** Writes the open row group. */
  flush: () => Promise<void>;
  /** Keeps what was appended. */
  commit: () => void;
  signal?: AbortSignal;
}

/**
 * Appends a file whose row groups are written as they come. What waits is written before, so that the file's row
 * groups are its own and can be forgotten when a later page of it is broken.
 *
 * @returns how many of its row groups with rows are written, the first ones; undefined when all are
 */
export async function addLargeFile(
  target: LargeFileTarget,
  large: LargeFile,
): Promise<number | undefined> {
  const { builder, file, settings, ordered, dedupes, filter, signal } = target;
  const { metadata, from } = large;
  const bytes = packedBytes(metadata);
  // rows that are to be sorted wait packed, where they can be rolled back, unless they are too many
  const held = ordered && !filter && (dedupes || bytes <= settings.sortBytes);
  if (held) {
    if (!dedupes && builder.waitingBytes + bytes > settings.sortBytes) await target.flush();
    builder.parkAll();
  } else await target.flush();
  let written = from;
  const groupsBefore = file.groupCount;
  let next = 0, row = 0;
  for (let i = 0; i < metadata.rowGroups.length; i++) {
    throwIfAborted(signal);
    const { numRows } = metadata.rowGroups[i];
    const firstRow = row;
    row += numRows;
    if (numRows === 0 || next++ < from) continue;
    try {
      if (await addGroup(target, large, i, firstRow)) written = next;
      // nothing of others is in it, so that what is committed can still be forgotten
      if (!held) builder.commit();
      if (!held && builder.isFull) {
        await target.flush();
        written = next;
      }
    } catch (error) {
      if (held) builder.rollback();
      else {
        file.dropGroups(groupsBefore);
        builder.reset();
      }
      throw atPlace(error, { rowGroup: i });
    }
  }
  target.commit();
  return written < next ? written : undefined;
}

/** How much larger Snappy is than what other codecs made, at most as a rule. */
const snappyGrowth = 2;

/** Bytes that a file's rows take packed, at most as a rule. */
function packedBytes({ rowGroups }: FileMetaData): number {
  return rowGroups.reduce(
    (sum, group) => sum + Math.min(group.totalByteSize, snappyGrowth * groupBytes(group)),
    0,
  );
}

/** Appends a row group, copied when it can be; gives whether it is written. */
async function addGroup(
  { kernels, builder, output, file, settings, ordered, filter, flush, signal }: LargeFileTarget,
  { layout, metadata, reader, tail, trusted, origins }: LargeFile,
  rowGroup: number,
  firstRow: number,
): Promise<boolean> {
  const { healthyBytes, mergeGroupBytes, windowBytes } = settings;
  const group = metadata.rowGroups[rowGroup];
  const bytes = groupBytes(group);
  const whole = !ordered || filter?.(firstRow, group.numRows) === false;
  if (whole && layout.plan.identical && bytes >= healthyBytes) {
    await flush();
    const { tree, levels } = layout;
    const source = { reader, tail, metadata, tree, output, levels, rowGroup, trusted };
    try {
      await copyGroup(source, file, kernels, windowBytes, signal);
      return true;
    } catch (error) {
      // what was written of it stays in the file, and nothing refers to it
      if (!isNotCopied(error, kernels)) throw error;
    }
  }
  const large = { layout, group, reader, windowBytes, signal };
  if (!ordered && bytes > mergeGroupBytes) {
    await flush();
    await addInSlices(kernels, builder, file, settings, large);
    return true;
  }
  builder.readFrom(origins, firstRow);
  await appendLargeGroup(builder, kernels, large);
  return false;
}

/** Whether all that is wrong with a row group is that its pages can't stand in the output as they are. */
function isNotCopied(error: unknown, { wasm }: Kernels): boolean {
  return error instanceof SedimentError && error.code === "unsupported_parquet" &&
    wasm.getErrorCode() === kernelErrors.notCopied;
}

async function addInSlices(
  kernels: Kernels,
  builder: GroupBuilder,
  file: ParquetFile,
  { rowGroupBytes, rowGroupRows }: MergeSettings,
  large: LargeGroup,
): Promise<void> {
  const { group } = large;
  const rows = Math.floor(group.numRows * rowGroupBytes / groupBytes(group));
  const sliceRows = Math.max(1, Math.min(rowGroupRows, rows));
  await appendInSlices(
    builder,
    kernels,
    large,
    sliceRows,
    (rows) => builder.flushSlice(file, rows),
  );
  builder.reset();
}
