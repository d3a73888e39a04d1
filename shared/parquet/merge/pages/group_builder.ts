import { kernelErrors } from "../../kernels/kernel_error.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import { codec, type RowGroup } from "../../format/metadata.ts";
import { atPlace } from "../../format/parquet_error.ts";
import type { SchemaNode, SchemaTree } from "../../format/schema.ts";
import { PageStore } from "../../write/page_store.ts";
import type { ParquetFile } from "../../write/parquet_file.ts";
import { writeRowGroup } from "../../write/row_group_writer.ts";
import { RowOrigins, unknownOrigin } from "../../write/row_origins.ts";
import type { Layout } from "./known_layout.ts";
import type { MergeSettings } from "./merge_settings.ts";
import {
  checkRows,
  decideAfter,
  dictionaryBytes,
  giveUpAfter,
  OutputColumn,
  type PageSettings,
} from "./output_column.ts";
import { openChunk } from "./open_chunk.ts";
import { type RowOrder, RowSorter } from "./row_sorter.ts";
import type { LeafSource } from "../union/source_plan.ts";

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

  readonly #sorter: RowSorter | undefined;
  /** Of rows that wait to be sorted: where they came from. */
  readonly #origins = new RowOrigins();
  /** Where the rows that are appended come from, and how many of them were before. */
  #source: { origins: RowOrigins | undefined; at: number } = { origins: undefined, at: 0 };

  /**
   * @param order sorts each row group, whose rows all wait in memory then
   * @param drop origins of which rows are left out, where there is an order
   */
  constructor(
    kernels: Kernels,
    output: SchemaTree,
    settings: MergeSettings,
    pages: PageSettings,
    order?: RowOrder,
    drop?: ReadonlySet<number>,
  ) {
    this.#kernels = kernels;
    this.#settings = settings;
    this.columns = output.leaves.map((leaf) => new OutputColumn(kernels, leaf, pages, this.#store));
    kernels.wasm.passPacked(pages.codec === codec.SNAPPY && order === undefined ? 1 : 0);
    this.#sorter = order &&
      new RowSorter(kernels, this.columns, order, settings, this.#store, drop);
    this.#addresses = kernels.keepWords(this.columns.map((column) => column.address));
  }

  /** Says where the rows come from that are appended next: those of an input from its row `at` on. */
  readFrom(origins: RowOrigins | undefined, at = 0): void {
    this.#source = { origins, at };
  }

  /** Counts rows that were appended. */
  took(rows: number): void {
    this.rows += rows;
    if (this.#sorter === undefined) return;
    const { origins, at } = this.#source;
    if (origins === undefined) this.#origins.add(unknownOrigin, rows);
    else this.#origins.addFrom(origins, at, rows);
    this.#source.at += rows;
  }

  /**
   * Appends a row group that is described at `group` in the kernels' table, of a file at `file`. On an error
   * some columns have its rows and others don't: {@link rollback} then.
   */
  appendGroup(layout: Layout, group: number, file: number, rows: number): void {
    const { wasm } = this.#kernels;
    const appended = wasm.appendGroup(
      this.#addresses,
      layout.sources,
      this.columns.length,
      group,
      file,
      layout.levels.address,
      layout.tree.leaves.length,
    );
    if (appended === 0) {
      if (layout.levels.differ) throw layout.levels.fault();
      const source = layout.plan.leaves[wasm.getFailedColumn()];
      throw source.kind === "pages"
        ? this.fault(layout.tree.leaves[source.leaf])
        : this.#kernels.error({ column: this.columns[wasm.getFailedColumn()].leaf.path });
    }
    this.took(rows);
  }

  /** Opens the chunk that fills a column in the kernels, for its pages to be appended part by part. */
  open(layout: Layout, column: number, group: RowGroup): void {
    openChunk(this.#kernels, layout, column, group);
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
    const sibling = this.columns[source.sibling].address;
    this.appendLevelsOf(column, this.#kernels.wasm.levelsBeforeRows(sibling, rows), source);
  }

  /** Levels that wait in a column. */
  levelsOf(column: number): number {
    return this.#kernels.wasm.columnCount(this.columns[column].address);
  }

  /** Appends the levels of a sibling from the `from`-th on that waits. */
  appendLevelsOf(column: number, from: number, source: LeafSource & { kind: "sibling" }): void {
    const { wasm } = this.#kernels;
    const sibling = this.columns[source.sibling].address;
    const { address, leaf } = this.columns[column];
    const done = wasm.appendFromSibling(
      address,
      sibling,
      from,
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

  /** Whether the last error is that memory was over. */
  get lastIsMemory(): boolean {
    return this.#kernels.wasm.getErrorCode() === kernelErrors.outOfMemory;
  }

  /** Keeps what was appended, and cuts full pages; a later {@link rollback} goes back to here. */
  commit(): void {
    const { wasm } = this.#kernels;
    const { parkRows, pageBytes } = this.#settings;
    const pageRows = this.#sorter === undefined ? this.#settings.pageRows : parkRows;
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
      if (this.#sorter !== undefined) this.#sorter.park();
      else for (const column of this.columns) column.cut(false, this.#rowsGuess);
      commit();
      this.#pagedBytes = this.columns.reduce((sum, column) => sum + column.pagedBytes, 0);
    }
    this.#sorter?.commit();
    this.#pendingBytes = wasm.pendingBytes();
  }

  /**
   * Commits so that further rows can be packed while they are appended, and {@link rollback} still gets rid of them:
   * nothing that was committed waits unpacked.
   */
  parkAll(): void {
    this.#sorter?.park(true);
    this.commit();
  }

  /** Makes pages of what a column has too much of, before the row group that is appended is whole. */
  relieve(column: number, rowsToCome: number): void {
    if (this.#sorter === undefined) this.columns[column].cut(false, rowsToCome, true);
    else this.#sorter.parkColumn(column);
  }

  /** Forgets what was appended since the last commit. */
  rollback(): void {
    this.rows = this.#keptRows;
    this.#origins.truncate(this.rows);
    this.#sorter?.rollback();
    for (const column of this.columns) this.#kernels.wasm.rollback(column.address);
  }

  /** Forgets the whole open row group. */
  reset(): void {
    this.rows = 0;
    this.#origins.truncate(0);
    this.#keptRows = 0;
    this.#pagedBytes = 0;
    this.#pendingBytes = 0;
    this.#store.clear();
    this.#sorter?.clear();
    for (const column of this.columns) column.startGroup();
  }

  /** Whether the row group has reached its size; true of what was committed. */
  get isFull(): boolean {
    if (this.#sorter !== undefined) return this.#sorter.isFull(this.rows);
    return this.rows >= this.#settings.rowGroupRows ||
      this.#pagedBytes + this.#pendingBytes >= this.#settings.rowGroupBytes;
  }

  /** Bytes of rows that wait to be sorted. */
  get waitingBytes(): number {
    return this.rows === 0 ? 0 : this.#sorter?.bytes ?? 0;
  }

  /** Rows that were left out, by deduplication or for where they came from. */
  get dropped(): number {
    return this.#sorter?.dropped ?? 0;
  }

  /** Ranges of sorted rows that were written. */
  get ranges(): number {
    return this.#sorter?.ranges ?? 0;
  }

  /** Rows that were left out for where they came from, by origin. */
  get deleted(): ReadonlyMap<number, number> {
    return this.#sorter?.deleted ?? new Map();
  }

  /** Writes the first `rows` rows as a row group; what else waits begins the next one. Not of rows to be sorted. */
  async flushSlice(file: ParquetFile, rows: number): Promise<void> {
    await this.#write(file, rows);
    this.#store.clear();
    for (const column of this.columns) column.startGroup(true);
  }

  /** Writes the row group, when it has rows. */
  async flush(file: ParquetFile): Promise<void> {
    if (this.rows === 0) return;
    if (this.#sorter !== undefined) {
      await this.#sorter.flush(file, this.rows, this.#origins);
      this.reset();
      return;
    }
    await this.#write(file, this.rows);
    this.reset();
  }

  async #write(file: ParquetFile, rows: number): Promise<void> {
    for (const column of this.columns) {
      try {
        column.cut(true, rows, false, rows - column.pagedRows);
        checkRows(column, rows);
      } catch (error) {
        throw atPlace(error, { column: column.leaf.path });
      }
    }
    await file.begin();
    file.add(await writeRowGroup(file.writer, this.columns, rows, file.groupCount));
    // what is joined to a block was copied; all else the sink has taken
    this.#rowsGuess = rows;
  }
}
