/**
 * The columns of a scan in the kernels: row groups of files are appended by the merge's own plans, so that types widen
 * and missing columns are filled as they are in a merge, and rows are taken from the front as record batches.
 */
import type * as arrow from "apache-arrow";
import { layoutText } from "../../parquet/format/schema_text.ts";
import { repetition, type RowGroup } from "../../parquet/format/metadata.ts";
import type { SchemaNode, SchemaTree } from "../../parquet/format/schema.ts";
import { holdsText, valueOrders, valueWidth } from "../../parquet/format/value_order.ts";
import { kernelErrors } from "../../parquet/kernels/kernel_error.ts";
import { fillTable, groupEntryBytes } from "../../parquet/merge/pages/group_table.ts";
import { freeLayout, type Layout, makeLayout } from "../../parquet/merge/pages/known_layout.ts";
import { openChunk } from "../../parquet/merge/pages/open_chunk.ts";
import type { LeafSource } from "../../parquet/merge/union/source_plan.ts";
import { readerUnion } from "../../readers/unite_table.ts";
import { planByName } from "../../parquet/merge/union/plan_by_name.ts";
import { atPlace, parquetError } from "../../parquet/format/parquet_error.ts";
import { SedimentError } from "../../errors.ts";
import { levelCarriers, slotLevel } from "./leaf_places.ts";
import type { ProjectedFile } from "./projected_file.ts";
import type { ReaderKernels } from "./reader_kernels.ts";
import { copyTaken, recordBatch } from "./taken_columns.ts";

/** What helps against an error of the kernels. */
const advice: Record<number, string | undefined> = {
  [kernelErrors.unknownCodec]: "for brotli in a browser a decompressor, in the option `codecs`",
  [kernelErrors.outOfMemory]: "a larger `decoderBytes` in the option `limits`, or fewer columns",
};

/** Schemas of files whose plans are kept. */
const mostLayouts = 32;

/** A column of the set. */
interface Column {
  /** Of the kernels' column. */
  address: number;
  /** Of how far it was taken. */
  cursor: number;
  /** Rows before that. */
  taken: number;
  leaf: SchemaNode;
  slotLevel: number;
}

/** See the file's head. */
export class ColumnSet {
  readonly kernels: ReaderKernels;
  readonly schema: arrow.Schema;
  readonly #tree: SchemaTree;
  readonly #columns: Column[];
  /** Addresses of the columns, for the kernels. */
  readonly #addresses: number;
  readonly #plan: ReturnType<typeof planByName>;
  readonly #layouts = new Map<string, Layout>();
  /** Leaves whose levels say where a group above them is null or empty. */
  readonly #carriers: ReadonlySet<number>;
  /** Rows of whole files that wait in every column. */
  rows = 0;

  /** @param tree of the rows' columns @param schema the same as Arrow has it */
  constructor(kernels: ReaderKernels, tree: SchemaTree, schema: arrow.Schema) {
    this.kernels = kernels;
    this.schema = schema;
    this.#tree = tree;
    this.#plan = planByName(tree, readerUnion);
    this.#columns = tree.leaves.map((leaf) => ({
      address: this.#newColumn(leaf),
      cursor: kernels.keepWords([0, 0, 0, 0]),
      taken: 0,
      leaf,
      slotLevel: slotLevel(leaf),
    }));
    this.#addresses = kernels.keepWords(this.#columns.map(({ address }) => address));
    this.#carriers = levelCarriers(tree, (leaf) => tree.leaves[leaf].repetitionLevel);
  }

  /** How a file's leaves fill the columns. Throws `schema_incompatible` where they can't. */
  layout(tree: SchemaTree): Layout {
    const key = layoutText(tree);
    let layout = this.#layouts.get(key);
    if (layout === undefined) {
      if (this.#layouts.size >= mostLayouts) this.#dropLayouts();
      layout = makeLayout(this.kernels, tree, this.#plan(tree), this.#columns);
      this.#layouts.set(key, layout);
    }
    return layout;
  }

  /**
   * Appends all row groups of a file that is in memory, or none of them when one is broken: what waited before waits
   * still.
   */
  appendWhole({ tree, groups }: ProjectedFile, bytes: Uint8Array): void {
    if (groups.length === 0) return;
    const { kernels } = this;
    const layout = this.layout(tree);
    this.#checkpoint();
    const table = fillTable(kernels, groups);
    const file = kernels.input(bytes);
    const entry = groupEntryBytes(tree.leaves.length);
    groups.forEach((_, i) => {
      const appended = kernels.wasm.appendGroup(
        this.#addresses,
        layout.sources,
        this.#columns.length,
        table + i * entry,
        file,
        layout.levels.address,
        tree.leaves.length,
      );
      if (appended === 0) {
        const error = this.#groupFault(layout);
        for (const { address } of this.#columns) kernels.wasm.rollback(address);
        throw atPlace(error, { rowGroup: i });
      }
    });
    for (const { numRows } of groups) this.rows += numRows;
  }

  /** Appends rows of a file that has none of the columns; gives how many. */
  appendMissing(rows: number): number {
    for (const node of this.#tree.root.children) {
      if (node.repetition !== repetition.REQUIRED) continue;
      throw parquetError(
        "schema_incompatible",
        "the file lacks a column that the table requires",
        { column: node.path },
      );
    }
    this.#columns.forEach(({ address, leaf }, i) => {
      this.settle(i);
      if (this.kernels.wasm.appendNulls(address, rows, 0) === 0) throw this.fault(leaf);
    });
    this.rows += rows;
    return rows;
  }

  /** Opens the chunk of a leaf of `layout.tree` for a column, to be fed page by page. */
  openChunk(layout: Layout, column: number, group: RowGroup): void {
    openChunk(this.kernels, layout, column, group);
  }

  /** Address of a column for the kernels. */
  address(column: number): number {
    return this.#columns[column].address;
  }

  /** Rows of one column that are there, the last of which may go on in its next page. */
  columnRows(column: number): number {
    const { address, taken } = this.#columns[column];
    return this.kernels.wasm.columnRows(address) - taken;
  }

  /** Gives back what was taken of a column. Pages are to be appended to columns that are settled. */
  settle(column: number): void {
    const one = this.#columns[column];
    if (one.taken === 0) return;
    this.kernels.arrow.settle(one.address, one.cursor);
    one.taken = 0;
  }

  /** Levels of one column that are there. */
  columnLevels(column: number): number {
    return this.kernels.wasm.columnCount(this.address(column));
  }

  /** Bytes that the values of a row take, of what is there. */
  get rowBytes(): number {
    const { wasm } = this.kernels;
    let bytes = 0;
    for (const { address } of this.#columns) {
      bytes += wasm.columnValueBytes(address) / Math.max(1, wasm.columnRows(address));
    }
    return bytes;
  }

  /** Fills up a column that the file lacks to `rows` rows. */
  appendNulls(column: number, rows: number, source: LeafSource & { kind: "nulls" }): void {
    const { address, leaf } = this.#columns[column];
    const missing = rows - this.columnRows(column);
    if (this.kernels.wasm.appendNulls(address, missing, source.definitionLevel) === 0) {
      throw this.fault(leaf);
    }
  }

  /** Appends the levels of a neighbour, from the `from`-th on, for a leaf that the file lacks in a group that it has. */
  appendSibling(column: number, from: number, source: LeafSource & { kind: "sibling" }): void {
    const { address, leaf } = this.#columns[column];
    const done = this.kernels.wasm.appendFromSibling(
      address,
      this.address(source.sibling),
      from,
      source.repetitionLevel,
      source.definitionLevel,
    );
    if (done === 0) throw this.fault(leaf);
  }

  /** Takes rows from the front as a batch. Every column must have them whole. */
  take(rows: number): arrow.RecordBatch {
    const { kernels } = this;
    const taken = this.#columns.map((column, i) => {
      const { address, cursor, leaf, slotLevel } = column;
      if (kernels.arrow.takeRows(address, cursor, rows, slotLevel) === 0) throw this.fault(leaf);
      const one = copyTaken(kernels, leaf, this.#carriers.has(i));
      kernels.arrow.dropTaken(cursor);
      column.taken += rows;
      return one;
    });
    const batch = recordBatch(rows, this.#tree, this.schema, taken);
    this.rows = Math.max(0, this.rows - rows);
    return batch;
  }

  /** Forgets all that waits. */
  clear(): void {
    this.#columns.forEach(({ address }, i) => {
      this.settle(i);
      this.kernels.wasm.releasePending(address);
      this.kernels.wasm.startGroup(address, 1);
    });
    this.rows = 0;
  }

  /** The error of the kernels' last call, at a page of the open chunk. */
  fault(leaf: SchemaNode): unknown {
    const { wasm } = this.kernels;
    const error = this.kernels.error({ column: leaf.path, page: wasm.getPagesRead() });
    const expected = advice[wasm.getErrorCode()];
    if (expected === undefined) return error;
    return new SedimentError(error.code, error.message, { extra: error.extra, expected });
  }

  #groupFault(layout: Layout): unknown {
    if (layout.levels.differ) return layout.levels.fault();
    const failed = this.kernels.wasm.getFailedColumn();
    const source = layout.plan.leaves[failed];
    return this.fault(
      source.kind === "pages" ? layout.tree.leaves[source.leaf] : this.#columns[failed].leaf,
    );
  }

  #checkpoint(): void {
    this.#columns.forEach(({ address }, i) => {
      this.settle(i);
      this.kernels.wasm.checkpoint(address);
    });
  }

  #newColumn(leaf: SchemaNode): number {
    const { wasm } = this.kernels;
    const address = wasm.newColumn(
      leaf.element.type!,
      valueWidth(leaf),
      leaf.definitionLevel,
      leaf.repetitionLevel,
      valueOrders.none,
    );
    if (address === 0) throw this.kernels.error({ column: leaf.path });
    wasm.requireText(address, holdsText(leaf) ? 1 : 0);
    wasm.startGroup(address, 1);
    return address;
  }

  #dropLayouts(): void {
    for (const layout of this.#layouts.values()) freeLayout(this.kernels, layout);
    this.#layouts.clear();
  }
}
