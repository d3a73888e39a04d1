/** The page indexes of a copied row group of ours: fetched, checked against the chunks, and moved with them. */
import { SedimentError } from "../../../errors.ts";
import { chunkExtent } from "../../inspect/check_chunks.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import type { ColumnChunk } from "../../format/metadata.ts";
import {
  type ColumnIndex,
  type OffsetIndex,
  readColumnIndex,
  readOffsetIndex,
} from "../../format/page_index.ts";
import type { FileTail } from "../../format/footer.ts";
import { isInside, type RangeReader } from "../../format/range_reader.ts";
import type { GroupIndexes } from "../../write/group_indexes.ts";
import { type FetchedBytes, readRanges } from "./read_ranges.ts";

const none = new Uint8Array(0);

/**
 * Adds the chunk's page indexes, moved: by the kernels when they are as we write them, else what can be read of them.
 * @param rows of the row group
 * @param moved how far behind its place in the input the chunk stands in the output
 */
export function addMovedIndexes(
  indexes: GroupIndexes,
  kernels: Kernels,
  chunk: ColumnChunk,
  rows: number,
  moved: number,
  fileSize: number,
  bytesAt: FetchedBytes,
): void {
  const offsets = offsetRange(chunk, fileSize), columns = columnRange(chunk, fileSize);
  if (offsets !== undefined) {
    const offsetIndex = bytesAt(offsets.start, offsets.length);
    const columnIndex = columns === undefined ? none : bytesAt(columns.start, columns.length);
    const both = offsets.length + columnIndex.length;
    const at = kernels.inputRoom(both + 3 * offsets.length);
    kernels.view.set(offsetIndex, at);
    kernels.view.set(columnIndex, at + offsets.length);
    const { start, length } = chunkExtent(chunk.metaData!);
    const written = kernels.wasm.moveIndexes(
      at,
      offsets.length,
      at + offsets.length,
      columnIndex.length,
      start,
      start + length,
      rows,
      moved,
      at + both,
    );
    if (written > 0) return indexes.addBytes(columnIndex, kernels.bytes(at + both, written));
  }
  const { columnIndex, offsetIndex } = movedIndexes(chunk, rows, moved, fileSize, bytesAt);
  indexes.add(columnIndex, offsetIndex);
}

/**
 * The chunk's page indexes; none when they don't fit the chunk or each other: they help readers, and a file whose
 * pages are sound is not refused for them.
 */
function movedIndexes(
  chunk: ColumnChunk,
  rows: number,
  moved: number,
  fileSize: number,
  bytesAt: FetchedBytes,
): { columnIndex: ColumnIndex | undefined; offsetIndex: OffsetIndex | undefined } {
  const offsets = offsetRange(chunk, fileSize);
  if (offsets === undefined) return { columnIndex: undefined, offsetIndex: undefined };
  const offsetIndex = readable(() => readOffsetIndex(bytesAt(offsets.start, offsets.length)));
  if (offsetIndex === undefined || !fitsChunk(offsetIndex, chunk, rows)) {
    return { columnIndex: undefined, offsetIndex: undefined };
  }
  for (const page of offsetIndex.pages) page.offset += moved;
  const columns = columnRange(chunk, fileSize);
  if (columns === undefined) return { columnIndex: undefined, offsetIndex };
  const columnIndex = readable(() => readColumnIndex(bytesAt(columns.start, columns.length)));
  if (columnIndex?.nullPages.length !== offsetIndex.pages.length) {
    return { columnIndex: undefined, offsetIndex };
  }
  return { columnIndex, offsetIndex };
}

/** Where a chunk's index lies; undefined where there is none, or it isn't in the file. */
function range(start: number | undefined, length: number | undefined, fileSize: number) {
  if (start === undefined || !length || !isInside(start, length, fileSize)) return undefined;
  return { start, length };
}

const offsetRange = (chunk: ColumnChunk, fileSize: number) =>
  range(chunk.offsetIndexOffset, chunk.offsetIndexLength, fileSize);
const columnRange = (chunk: ColumnChunk, fileSize: number) =>
  range(chunk.columnIndexOffset, chunk.columnIndexLength, fileSize);

/** What `read` gives, undefined when the bytes are broken. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof SedimentError) return undefined;
    throw error;
  }
}

/** Whether an index's pages lie one behind the other in the chunk, from row 0 on and none of them empty. */
function fitsChunk(index: OffsetIndex, chunk: ColumnChunk, rows: number): boolean {
  const { start, length } = chunkExtent(chunk.metaData!);
  let end = start, row = -1;
  for (const page of index.pages) {
    if (page.offset < end || page.firstRowIndex <= row || page.firstRowIndex >= rows) return false;
    if (row === -1 && page.firstRowIndex !== 0) return false;
    end = page.offset + page.compressedPageSize;
    row = page.firstRowIndex;
  }
  return row >= 0 && end <= start + length;
}

/** Bytes that nobody needs between the page indexes of a row group, read to save requests. */
const largestIndexGap = 512 * 1024;

/**
 * Fetches the page indexes of a row group: of few row groups they are in memory with the footer, others come by one read
 * when they lie together, as they do, else one by one.
 * @param tail the end of the file, when it was read
 */
export async function readIndexes(
  reader: RangeReader,
  tail: FileTail | undefined,
  chunks: readonly ColumnChunk[],
  signal?: AbortSignal,
): Promise<FetchedBytes> {
  const ranges = chunks.flatMap((chunk) => [
    offsetRange(chunk, reader.size) ?? [],
    columnRange(chunk, reader.size) ?? [],
  ]).flat();
  if (tail !== undefined && ranges.every(({ start }) => start >= tail.start)) {
    return (start, length) => tail.bytes.subarray(start - tail.start, start - tail.start + length);
  }
  return await readRanges(reader, ranges, largestIndexGap, signal);
}
