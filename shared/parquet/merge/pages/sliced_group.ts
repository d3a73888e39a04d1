import type { Kernels } from "../../kernels/kernels.ts";
import { throwIfAborted } from "../../format/range_reader.ts";
import { ChunkCursor } from "./chunk_cursor.ts";
import type { GroupBuilder } from "./group_builder.ts";
import type { LargeGroup } from "./large_group.ts";
import type { LeafSource } from "../union/source_plan.ts";

/** Bytes that all columns' windows may take together. */
const windowsBytes = 8 * 1024 * 1024;

/** A window is no smaller than this: a read costs more than the bytes. */
const smallestWindow = 16 * 1024;

interface Column {
  index: number;
  source: LeafSource & { kind: "pages" };
  cursor: ChunkCursor;
}

/**
 * Appends a row group whose pages would not fit in memory: all columns side by side, a slice of its rows at a time,
 * each of which becomes a row group of the output. The builder must be empty, and is left empty.
 *
 * @param sliceRows rows of a slice
 * @param flush writes the first rows of what waits, and lets the others begin the next row group
 */
export async function appendInSlices(
  builder: GroupBuilder,
  kernels: Kernels,
  large: LargeGroup,
  sliceRows: number,
  flush: (rows: number) => Promise<void>,
): Promise<void> {
  const { layout, group, signal } = large;
  const columns = openColumns(builder, kernels, large);
  /** Levels of each sibling that were copied from, by the column that they fill. */
  const copied = new Map<number, number>();
  try {
    for (let from = 0; from < group.numRows; from += sliceRows) {
      throwIfAborted(signal);
      const rows = Math.min(sliceRows, group.numRows - from);
      const last = from + rows === group.numRows;
      for (const column of columns) await feedSlice(builder, column, large, rows, last);
      layout.plan.leaves.forEach((source, index) => {
        if (source.kind === "nulls") builder.appendNulls(index, rows, source);
        if (source.kind === "sibling") {
          builder.appendLevelsOf(index, copied.get(index) ?? 0, source);
        }
      });
      if (last) layout.levels.check();
      await flush(rows);
      for (const { cursor } of columns) cursor.forget();
      layout.plan.leaves.forEach((source, index) => {
        if (source.kind === "sibling") copied.set(index, builder.levelsOf(source.sibling));
      });
    }
  } finally {
    for (const { cursor } of columns) cursor.free();
  }
}

function openColumns(builder: GroupBuilder, kernels: Kernels, large: LargeGroup): Column[] {
  const { layout, group, reader, windowBytes, signal } = large;
  const sources = layout.plan.leaves.flatMap((source, index) =>
    source.kind === "pages" ? [{ source, index }] : []
  );
  const share = Math.floor(windowsBytes / Math.max(1, sources.length));
  const window = Math.min(windowBytes, Math.max(smallestWindow, share));
  const columns: Column[] = [];
  try {
    for (const { source, index } of sources) {
      const chunk = group.columns[source.leaf];
      const cursor = new ChunkCursor(kernels, reader, chunk, window, signal);
      columns.push({ index, source, cursor });
      cursor.use();
      builder.open(layout, index, group);
    }
  } catch (error) {
    for (const { cursor } of columns) cursor.free();
    throw error;
  }
  return columns;
}

/** Appends a column's pages until `rows` rows are whole, with `last` all that are left. */
async function feedSlice(
  builder: GroupBuilder,
  { index, source, cursor }: Column,
  { layout }: LargeGroup,
  rows: number,
  last: boolean,
): Promise<void> {
  const output = builder.columns[index];
  const node = layout.tree.leaves[source.leaf];
  // levels of a sibling are needed until the slice is whole
  const cuts = !layout.plan.leaves.some((one) => one.kind === "sibling");
  // a row of several values may go on in the next page
  const open = node.repetitionLevel > 0 ? 1 : 0;
  const enough = () => !last && output.pagedRows + output.pendingRows - open >= rows;
  const onPage = () => {
    if (cuts) output.cut(false, rows, true, rows - output.pagedRows);
  };
  if (!await cursor.feed(output.address, enough, onPage)) throw builder.fault(node);
}
