import { chunkExtent } from "../check_chunks.ts";
import { kernelErrors } from "../kernels/kernel_error.ts";
import type { Kernels } from "../kernels/kernels.ts";
import type { RowGroup } from "../metadata.ts";
import { atPlace } from "../parquet_error.ts";
import type { SchemaNode, SchemaTree } from "../schema.ts";
import { PageStore } from "../write/page_store.ts";
import type { ParquetFile } from "../write/parquet_file.ts";
import { writeRowGroup } from "../write/row_group_writer.ts";
import { type Layout, levelMap } from "./known_layout.ts";
import type { MergeSettings } from "./merge_settings.ts";
import {
  checkRows,
  decideAfter,
  dictionaryBytes,
  giveUpAfter,
  OutputColumn,
  type PageSettings,
} from "./output_column.ts";
import type { LeafSource } from "./source_plan.ts";
import { valueWidth } from "./value_order.ts";

/** Rows of a row group before one was written. */
const firstGuess = 100_000;

/** The row group that is being built: columns to which row groups of the inputs are appended. */
export class GroupBuilder {
  readonly columns: OutputColumn[];
  readonly #kernels: Kernels;
  readonly #settings: MergeSettings;
  readonly #store = new PageStore();
  /** Addresses of the columns, for the kernels. */
  readonly #addresses: number;
  /** Rows since the last {@link flush}. */
  rows = 0;
  #keptRows = 0;
  #pagedBytes = 0;
  #pendingBytes = 0;
  #rowsGuess = firstGuess;
  /** Addresses of level maps in the kernels' memory. */
  readonly #levelMaps = new WeakMap<Uint8Array, number>();

  readonly #order: RowOrder | undefined;
  /** Rows that deduplication left out. */
  dropped = 0;

  /** @param order sorts each row group, whose rows all wait in memory then */
  constructor(
    kernels: Kernels,
    output: SchemaTree,
    settings: MergeSettings,
    pages: PageSettings,
    order?: RowOrder,
  ) {
    this.#kernels = kernels;
    this.#order = order;
    this.#settings = settings;
    this.columns = output.leaves.map((leaf) => new OutputColumn(kernels, leaf, pages, this.#store));
    this.#addresses = kernels.keepWords(this.columns.map((column) => column.address));
  }

  /**
   * Appends a row group that is described at `group` in the kernels' table, of a file at `file`. On an error
   * some columns have its rows and others don't: {@link rollback} then.
   */
  appendGroup(layout: Layout, group: number, file: number, rows: number): void {
    const { wasm } = this.#kernels;
    const count = this.columns.length;
    if (wasm.appendGroup(this.#addresses, layout.sources, count, group, file) === 0) {
      const source = layout.plan.leaves[wasm.getFailedColumn()];
      throw source.kind === "pages"
        ? this.fault(layout.tree.leaves[source.leaf])
        : this.#kernels.error({ column: this.columns[wasm.getFailedColumn()].leaf.path });
    }
    this.rows += rows;
  }

  /** Opens a chunk in the kernels for its pages to be appended part by part. */
  open(leaf: SchemaNode, source: LeafSource & { kind: "pages" }, group: RowGroup): void {
    const meta = group.columns[source.leaf].metaData!;
    this.#kernels.wasm.openChunk(
      meta.type,
      valueWidth(leaf),
      leaf.definitionLevel,
      leaf.repetitionLevel,
      meta.codec,
      meta.numValues,
      group.numRows,
      source.levels === undefined ? 0 : this.#levelMap(source.levels),
      source.conversion ?? 0,
      source.parameter ?? 0,
      0,
    );
  }

  #levelMap(levels: Uint8Array): number {
    let address = this.#levelMaps.get(levels);
    if (address === undefined) {
      address = levelMap(this.#kernels, levels);
      this.#levelMaps.set(levels, address);
    }
    return address;
  }

  /** Appends nulls for a column that the source lacks. */
  appendNulls(column: number, rows: number, source: LeafSource & { kind: "nulls" }): void {
    const { address, leaf } = this.columns[column];
    if (this.#kernels.wasm.appendNulls(address, rows, source.definitionLevel) === 0) {
      throw this.#kernels.error({ column: leaf.path });
    }
  }

  /** Appends the levels of a sibling's last `rows` rows for a leaf that the source lacks. */
  appendFromSibling(column: number, rows: number, source: LeafSource & { kind: "sibling" }): void {
    const { wasm } = this.#kernels;
    const sibling = this.columns[source.sibling].address;
    const { address, leaf } = this.columns[column];
    const done = wasm.appendFromSibling(
      address,
      sibling,
      wasm.levelsBeforeRows(sibling, rows),
      source.repetitionLevel,
      source.definitionLevel,
    );
    if (done === 0) throw this.#kernels.error({ column: leaf.path });
  }

  /** The error of the open chunk, naming column and page. */
  fault(leaf: SchemaNode): Error {
    return this.#kernels.error({ column: leaf.path, page: this.#kernels.wasm.getPagesRead() });
  }

  /** Whether the last error is one that another decoder may not have. */
  get lastIsUnknown(): boolean {
    const code = this.#kernels.wasm.getErrorCode();
    return code === kernelErrors.unknownEncoding || code === kernelErrors.unknownCodec;
  }

  /** Keeps what was appended, and cuts full pages; a later {@link rollback} goes back to here. */
  commit(): void {
    const { wasm } = this.#kernels;
    const { pageRows, pageBytes } = this.#settings;
    const commit = () =>
      wasm.commitColumns(
        this.#addresses,
        this.columns.length,
        pageRows,
        pageBytes,
        giveUpAfter,
        decideAfter,
        dictionaryBytes,
      ) !== 0;
    this.#keptRows = this.rows;
    if (commit()) {
      for (const column of this.columns) {
        if (this.#order === undefined) column.cut(false, this.#rowsGuess);
        else column.settle(false, this.#settings.sortRows);
      }
      commit();
      this.#pagedBytes = this.columns.reduce((sum, column) => sum + column.pagedBytes, 0);
    }
    this.#pendingBytes = wasm.pendingBytes();
  }

  /** Forgets what was appended since the last commit. */
  rollback(): void {
    this.rows = this.#keptRows;
    for (const column of this.columns) this.#kernels.wasm.rollback(column.address);
  }

  /** Forgets the whole open row group. */
  reset(): void {
    this.rows = 0;
    this.#keptRows = 0;
    this.#pagedBytes = 0;
    this.#pendingBytes = 0;
    this.#store.clear();
    for (const column of this.columns) column.startGroup();
  }

  /** Whether the row group has reached its size; true of what was committed. */
  get isFull(): boolean {
    if (this.#order !== undefined) {
      return this.rows >= this.#settings.sortRows ||
        2 * this.#pendingBytes >= this.#settings.sortBytes;
    }
    return this.rows >= this.#settings.rowGroupRows ||
      this.#pagedBytes + this.#pendingBytes >= this.#settings.rowGroupBytes;
  }

  /** Writes the row group, when it has rows. */
  async flush(file: ParquetFile): Promise<void> {
    if (this.rows === 0) return;
    if (this.#order !== undefined) return await this.#flushOrdered(file, this.#order);
    const rows = this.rows;
    for (const column of this.columns) {
      try {
        column.cut(true, rows);
        checkRows(column, rows);
      } catch (error) {
        throw atPlace(error, { column: column.leaf.path });
      }
    }
    await file.begin();
    file.add(await writeRowGroup(file.writer, this.columns, rows, file.groupCount));
    // what is joined to a block was copied; all else the sink has taken
    this.#rowsGuess = rows;
    this.reset();
  }

  /** Sorts and writes: one column's pages are made at a time, so that only the pending rows take memory. */
  async #flushOrdered(file: ParquetFile, order: RowOrder): Promise<void> {
    const { wasm } = this.#kernels;
    const require = (done: number) => {
      if (done === 0) throw this.#kernels.error({});
    };
    for (const column of this.columns) column.settle(true, this.rows);
    wasm.clearKeys();
    for (const { leaf, descending } of order.sort) {
      require(wasm.addKey(this.columns[leaf].address, descending ? 1 : 0));
    }
    for (const leaf of order.dedupe) require(wasm.addKey(this.columns[leaf].address, 0));
    require(wasm.sortRows(order.sort.length));
    wasm.clearKeys();
    const rows = wasm.permutationLength();
    await file.begin();
    const written = await writeRowGroup(
      file.writer,
      this.columns,
      rows,
      file.groupCount,
      order.sort.map(({ leaf, descending }) => ({
        columnIndex: leaf,
        descending,
        nullsFirst: false,
      })),
      (column) => {
        column.permute(rows);
        checkRows(column, rows);
      },
      () => this.#store.clear(),
    );
    file.add(written);
    this.dropped += this.rows - rows;
    this.reset();
  }
}

/** How the rows of a row group are ordered, by indices of leaves. */
export interface RowOrder {
  sort: { leaf: number; descending: boolean }[];
  dedupe: number[];
}

/** Bytes of a row group's entry in the kernels' table: its rows, then four words a leaf. */
export function groupEntryBytes(leaves: number): number {
  return 4 + 16 * leaves;
}

/** Puts row groups into the kernels' table as a scan would; gives its address. */
export function fillTable(kernels: Kernels, groups: readonly RowGroup[]): number {
  const entry = groupEntryBytes(groups[0]?.columns.length ?? 0);
  const address = kernels.wasm.reserveTable(Math.max(16, entry * groups.length));
  if (address === 0) throw kernels.error({});
  const view = new DataView(kernels.wasm.memory.buffer, address, entry * groups.length);
  groups.forEach((group, g) => {
    view.setUint32(g * entry, group.numRows, true);
    group.columns.forEach((chunk, i) => {
      const meta = chunk.metaData!;
      const { start, length } = chunkExtent(meta);
      const at = g * entry + 4 + 16 * i;
      view.setUint32(at, start, true);
      view.setUint32(at + 4, length, true);
      view.setUint32(at + 8, meta.codec, true);
      view.setUint32(at + 12, meta.numValues, true);
    });
  });
  return address;
}
