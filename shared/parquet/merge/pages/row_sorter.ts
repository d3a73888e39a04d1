import { SedimentError } from "../../../errors.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import { columnModes } from "../../kernels/kernels.ts";
import type { PageStore } from "../../write/page_store.ts";
import type { ParquetFile } from "../../write/parquet_file.ts";
import { writeRowGroup } from "../../write/row_group_writer.ts";
import { RowOrigins } from "../../write/row_origins.ts";
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
  readonly #drop: ReadonlySet<number>;
  /** Rows that deduplication left out, or `drop`. */
  dropped = 0;
  /** Rows of each origin of `drop` that were left out. */
  readonly deleted = new Map<number, number>();

  /**
   * @param store takes the pages of the column that is being written
   * @param drop origins of which rows are left out
   */
  constructor(
    kernels: Kernels,
    columns: readonly OutputColumn[],
    order: RowOrder,
    settings: MergeSettings,
    store: PageStore,
    drop: ReadonlySet<number> = new Set(),
  ) {
    this.#drop = drop;
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

  /**
   * Writes the `rows` rows that wait; the columns are to be begun anew then.
   * @param waiting where they came from
   */
  async flush(file: ParquetFile, rows: number, waiting: RowOrigins): Promise<void> {
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
    const keyed = sort.length + dedupe.length > 0;
    this.#require(keyed ? wasm.sortRows(sort.length) : wasm.keepRows(rows));
    wasm.clearKeys();
    const { origins, deleted } = this.#leaveOut(rows, waiting);
    const kept = wasm.permutationLength();
    if (kept > 0) await this.#write(file, rows, origins);
    // what failed is written anew, and counted then
    this.dropped += rows - kept;
    for (const [origin, count] of deleted) {
      this.deleted.set(origin, (this.deleted.get(origin) ?? 0) + count);
    }
  }

  /** Writes the rows of the permutation, of the `rows` that wait. */
  async #write(file: ParquetFile, rows: number, origins: RowOrigins): Promise<void> {
    const { sort } = this.#order;
    const kept = this.#kernels.wasm.permutationLength();
    const some = kept < rows || this.#drop.size > 0;
    await file.begin();
    const written = await writeRowGroup(
      file.writer,
      this.#columns,
      kept,
      file.groupCount,
      sort.length === 0 ? undefined : sort.map(({ leaf, descending }) => ({
        columnIndex: leaf,
        descending,
        nullsFirst: false,
      })),
      (column) => {
        this.#parked[this.#columns.indexOf(column)].unpark();
        column.permute(kept, some);
        checkRows(column, kept);
      },
      () => this.#store.clear(),
    );
    file.add({ ...written, origins });
  }

  /** Takes the rows of origins to be left out from the permutation; gives where the others came from, in its order. */
  #leaveOut(rows: number, waiting: RowOrigins) {
    const { wasm } = this.#kernels;
    if (waiting.rowCount !== rows) {
      throw new SedimentError("internal", `${rows} rows wait, and origins of ${waiting.rowCount}`);
    }
    const numbers: number[] = [];
    const runOf = new Uint32Array(rows);
    let at = 0;
    for (const [origin, count] of waiting.runs()) {
      runOf.fill(numbers.length, at, at += count);
      numbers.push(origin);
    }
    const length = wasm.permutationLength();
    const permutation = new Uint32Array(wasm.memory.buffer, wasm.permutationPtr(), length);
    const origins = new RowOrigins();
    const deleted = new Map<number, number>();
    let kept = 0;
    for (const row of permutation) {
      const origin = numbers[runOf[row]];
      if (this.#drop.has(origin)) deleted.set(origin, (deleted.get(origin) ?? 0) + 1);
      else {
        permutation[kept++] = row;
        origins.add(origin, 1);
      }
    }
    wasm.setPermutationLength(kept);
    return { origins, deleted };
  }

  #require(done: number): void {
    if (done === 0) throw this.#kernels.error({});
  }
}
