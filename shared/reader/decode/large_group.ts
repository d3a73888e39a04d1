import type { RowGroup } from "../../parquet/format/metadata.ts";
import { atPlace } from "../../parquet/format/parquet_error.ts";
import { type RangeReader, throwIfAborted } from "../../parquet/format/range_reader.ts";
import { ChunkCursor } from "../../parquet/merge/pages/chunk_cursor.ts";
import type { Layout } from "../../parquet/merge/pages/known_layout.ts";
import type { LeafSource } from "../../parquet/merge/union/source_plan.ts";
import type { ColumnSet } from "./column_set.ts";

/** How a row group is cut into batches. */
export interface GroupOptions {
  batchRows: number;
  /** Decoded bytes of a batch, as far as they are known before it is decoded. */
  batchBytes: number;
  /** Bytes that are handed to the kernels at a time, or read where the row group is not in memory. */
  windowBytes: number;
  signal?: AbortSignal;
}

interface Column {
  index: number;
  source: LeafSource & { kind: "pages" };
  cursor: ChunkCursor;
}

/** Fewer rows make batches that cost more than their rows. */
const fewestRows = 256;

/**
 * Decodes a row group in steps, all columns side by side, and says after each how many rows can be taken. The set must
 * be empty, and is left empty when all were taken.
 * @param expectedBytes of the values, before compression
 */
export async function* decodeGroup(
  set: ColumnSet,
  layout: Layout,
  group: RowGroup,
  reader: RangeReader,
  expectedBytes: number,
  options: GroupOptions,
): AsyncGenerator<number> {
  const columns = openColumns(set, layout, group, reader, options);
  let rowBytes = expectedBytes / group.numRows;
  try {
    for (let from = 0; from < group.numRows;) {
      throwIfAborted(options.signal);
      const fit = Math.floor(options.batchBytes / Math.max(1, rowBytes));
      const wanted = Math.max(fewestRows, Math.min(options.batchRows, fit));
      const rows = Math.min(wanted, group.numRows - from);
      const last = from + rows === group.numRows;
      const fed = columns.filter((column) => !hasEnough(set, column, layout, rows, last));
      for (const { index } of fed) set.settle(index);
      // of a neighbour, what is there now was copied before
      const copied = layout.plan.leaves.map((source) =>
        source.kind === "sibling" ? set.columnLevels(source.sibling) : 0
      );
      for (const column of fed) await feed(set, column, layout, rows, last);
      layout.plan.leaves.forEach((source, index) => {
        if (source.kind === "nulls") set.appendNulls(index, rows, source);
        if (source.kind === "sibling") set.appendSibling(index, copied[index], source);
      });
      if (last) layout.levels.check();
      rowBytes = Math.max(rowBytes, set.rowBytes);
      yield rows;
      from += rows;
    }
  } finally {
    for (const { cursor } of columns) cursor.free();
  }
}

function openColumns(
  set: ColumnSet,
  layout: Layout,
  group: RowGroup,
  reader: RangeReader,
  { windowBytes, signal }: GroupOptions,
): Column[] {
  const columns: Column[] = [];
  try {
    layout.plan.leaves.forEach((source, index) => {
      if (source.kind !== "pages") return;
      const chunk = group.columns[source.leaf];
      const cursor = new ChunkCursor(set.kernels, reader, chunk, windowBytes, signal);
      columns.push({ index, source, cursor });
      cursor.use();
      set.openChunk(layout, index, group);
    });
    return columns;
  } catch (error) {
    for (const { cursor } of columns) cursor.free();
    throw error;
  }
}

/** Whether a column has `rows` rows that are whole; with `last` all of its chunk is wanted. */
function hasEnough(
  set: ColumnSet,
  { index, source, cursor }: Column,
  layout: Layout,
  rows: number,
  last: boolean,
): boolean {
  if (cursor.ended) return true;
  // a row of several values may go on in the next page
  const open = layout.tree.leaves[source.leaf].repetitionLevel > 0 ? 1 : 0;
  return !last && set.columnRows(index) - open >= rows;
}

/** Appends a column's pages until `rows` rows are whole, with `last` all that are left. */
async function feed(
  set: ColumnSet,
  column: Column,
  layout: Layout,
  rows: number,
  last: boolean,
): Promise<void> {
  const { index, source, cursor } = column;
  const leaf = layout.tree.leaves[source.leaf];
  const enough = () => hasEnough(set, column, layout, rows, last);
  try {
    if (!await cursor.feed(set.address(index), enough, () => {})) throw set.fault(leaf);
  } catch (error) {
    throw atPlace(error, { column: leaf.path });
  }
}
