import type { Kernels } from "../../kernels/kernels.ts";
import { columnModes } from "../../kernels/kernels.ts";
import type { PageStore } from "../../write/page_store.ts";
import type { ParquetFile } from "../../write/parquet_file.ts";
import { writeRowGroup } from "../../write/row_group_writer.ts";
import type { MergeSettings } from "./merge_settings.ts";
import { checkRows, type OutputColumn } from "./output_column.ts";
import { RowBuffer } from "./row_buffer.ts";

/** How the rows of a row group are ordered, by indices of leaves. */
export interface RowOrder {
  sort: { leaf: number; descending: boolean }[];
  dedupe: number[];
}

/**
 * Sorts row groups whose rows all wait in memory: packed as pages are until the row group is full, then unpacked and
 * written a column at a time.
 */
export class RowSorter {
  readonly #kernels: Kernels;
  readonly #columns: readonly OutputColumn[];
  readonly #order: RowOrder;
  readonly #settings: MergeSettings;
  readonly #store: PageStore;
  /** Of each column. */
  readonly #parked: readonly RowBuffer[];
  /** Rows that deduplication left out. */
  dropped = 0;

  /** @param store takes the pages of the column that is being written */
  constructor(
    kernels: Kernels,
    columns: readonly OutputColumn[],
    order: RowOrder,
    settings: MergeSettings,
    store: PageStore,
  ) {
    this.#kernels = kernels;
    this.#columns = columns;
    this.#order = order;
    this.#settings = settings;
    this.#store = store;
    this.#parked = columns.map(({ address }) => new RowBuffer(kernels, address));
  }

  /** Packs what waits in columns that have settled on a dictionary or PLAIN; with `all` in every one. */
  park(all = false): void {
    for (const index of this.#columns.keys()) this.parkColumn(index, all);
  }

  /** Packs what waits in one column, when it is much or with `all`. */
  parkColumn(index: number, all = false): void {
    const { wasm } = this.#kernels;
    const { sortRows, parkRows, pageBytes } = this.#settings;
    const column = this.#columns[index];
    const { address } = column;
    if (wasm.columnCount(address) === 0) return;
    const mode = column.settle(all, sortRows);
    const due = all || wasm.columnRows(address) >= parkRows ||
      2 * wasm.columnValueBytes(address) >= pageBytes;
    if (mode !== columnModes.open && due) this.#parked[index].park();
  }

  /** Keeps what was parked; a later {@link rollback} goes back to here. */
  commit(): void {
    for (const parked of this.#parked) parked.commit();
  }

  /** Forgets what was parked since the last commit. */
  rollback(): void {
    for (const parked of this.#parked) parked.rollback();
  }

  /** Forgets all that was parked. */
  clear(): void {
    for (const parked of this.#parked) parked.clear();
  }

  /** Whether no more rows can wait. */
  isFull(rows: number): boolean {
    return rows >= this.#settings.sortRows || this.bytes >= this.#settings.sortBytes;
  }

  /** Bytes of what waits. */
  get bytes(): number {
    const parked = this.#parked.reduce((sum, { bytes }) => sum + bytes, 0);
    return parked + this.#kernels.wasm.memoryTaken();
  }

  /** Writes the `rows` rows that wait; the columns are to be begun anew then. */
  async flush(file: ParquetFile, rows: number): Promise<void> {
    const { wasm } = this.#kernels;
    const { sort, dedupe } = this.#order;
    for (const column of this.#columns) column.settle(true, rows);
    for (const leaf of [...sort.map(({ leaf }) => leaf), ...dedupe]) {
      this.#parked[leaf].unpark();
    }
    wasm.clearKeys();
    for (const { leaf, descending } of sort) {
      this.#require(wasm.addKey(this.#columns[leaf].address, descending ? 1 : 0));
    }
    for (const leaf of dedupe) this.#require(wasm.addKey(this.#columns[leaf].address, 0));
    this.#require(wasm.sortRows(sort.length));
    wasm.clearKeys();
    const kept = wasm.permutationLength();
    await file.begin();
    const written = await writeRowGroup(
      file.writer,
      this.#columns,
      kept,
      file.groupCount,
      sort.map(({ leaf, descending }) => ({ columnIndex: leaf, descending, nullsFirst: false })),
      (column) => {
        this.#parked[this.#columns.indexOf(column)].unpark();
        column.permute(kept);
        checkRows(column, kept);
      },
      () => this.#store.clear(),
    );
    file.add(written);
    this.dropped += rows - kept;
  }

  #require(done: number): void {
    if (done === 0) throw this.#kernels.error({});
  }
}
