import type { Kernels } from "../../kernels/kernels.ts";
import { columnModes } from "../../kernels/kernels.ts";
import { CellStore } from "../../write/cell_store.ts";
import type { FinishedColumn } from "../../write/finished_column.ts";
import { holdChunk } from "../../write/held_chunk.ts";
import type { PageStore } from "../../write/page_store.ts";
import type { ParquetFile } from "../../write/parquet_file.ts";
import { writeRowGroup } from "../../write/row_group_writer.ts";
import { mostRuns, RowOrigins, unknownOrigin } from "../../write/row_origins.ts";
import { cutRows, type RowRange } from "./cut_rows.ts";
import type { MergeSettings } from "./merge_settings.ts";
import type { OutputColumn } from "./output_column.ts";
import { RowBuffer } from "./row_buffer.ts";
import { WaitingOrigins } from "./waiting_origins.ts";

/** How the rows of an output are ordered, by indices of leaves. */
export interface RowOrder {
  sort: { leaf: number; descending: boolean }[];
  dedupe: number[];
}

/** About how many rows a row group will have, for the choice of a dictionary: all of them are seen only later. */
const groupRows = 100_000;

/** Bytes of wasm memory that sorting takes for a row: the permutation, numbers to sort by, and a table of equal keys. */
const sortingBytes = { permutation: 4, radix: 20, key: 4, lastWriters: 17 };

/**
 * Sorts the rows of an output, which all wait in memory: packed as pages are until no more come, then unpacked a column
 * at a time and cut into row groups by their order, so that these don't overlap in it. What is written at once is a
 * *range*: where all rows are more than there is memory for, an output has several, each sorted by itself.
 */
export class RowSorter {
  readonly #kernels: Kernels;
  readonly #columns: readonly OutputColumn[];
  readonly #order: RowOrder;
  readonly #settings: MergeSettings;
  readonly #store: PageStore;
  /** Keeps what waits, and pages that wait to be written. */
  readonly #cells = new CellStore();
  /** Of each column. */
  readonly #parked: readonly RowBuffer[];
  readonly #drop: ReadonlySet<number>;
  /** Stretches of rows of one origin in what was written. */
  #runs = 0;
  /** Rows that deduplication left out, or `drop`. */
  dropped = 0;
  /** Rows of each origin of `drop` that were left out. */
  readonly deleted = new Map<number, number>();
  /** Ranges that were written. */
  ranges = 0;

  /**
   * @param store takes the pages of what is being written
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
    this.#parked = columns.map(({ address }) => new RowBuffer(kernels, address, this.#cells));
  }

  /** Packs what waits in columns that have settled on a dictionary or PLAIN; with `all` in every one. */
  park(all = false): void {
    for (const index of this.#columns.keys()) this.parkColumn(index, all);
  }

  /** Packs what waits in one column, when it is much or with `all`. */
  parkColumn(index: number, all = false): void {
    const { wasm } = this.#kernels;
    const { parkRows, pageBytes } = this.#settings;
    const column = this.#columns[index];
    const { address } = column;
    if (wasm.columnCount(address) === 0) return;
    const mode = column.settle(all, groupRows);
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

  /**
   * Whether no more rows can wait: by their bytes, or by what sorting them and unpacking a column of them will take. Where
   * rows are only left out, those of a row group need not wait for others.
   */
  isFull(rows: number): boolean {
    const { sortRows, sortBytes, kernels, rowGroupBytes } = this.#settings;
    const { sort, dedupe } = this.#order;
    if (sort.length + dedupe.length === 0 && this.#packedBytes() >= rowGroupBytes) return true;
    if (rows >= sortRows || this.bytes >= sortBytes) return true;
    return this.#kernels.wasm.memoryTaken() + this.#bytesToWrite(rows) >= kernels.memoryBytes;
  }

  /** Bytes of what waits. */
  get bytes(): number {
    const parked = this.#parked.reduce((sum, { bytes }) => sum + bytes, 0);
    return parked + this.#kernels.wasm.memoryTaken();
  }

  /** Bytes of wasm memory that writing `rows` rows will take beside what is there. */
  #bytesToWrite(rows: number): number {
    const keys = this.#keyLeaves();
    let unpacked = 0, ofKeys = 0;
    for (const [leaf, parked] of this.#parked.entries()) {
      if (keys.includes(leaf)) ofKeys += parked.unpackedBytes;
      else unpacked = Math.max(unpacked, parked.unpackedBytes);
    }
    const sorting = sortingBytes.radix + sortingBytes.key * keys.length +
      (this.#order.dedupe.length > 0 ? sortingBytes.lastWriters : 0);
    return rows * sortingBytes.permutation + ofKeys + Math.max(rows * sorting, unpacked);
  }

  /**
   * Writes the `rows` rows that wait; the columns are to be begun anew then.
   * @param waiting where they came from
   */
  async flush(file: ParquetFile, rows: number, waiting: RowOrigins): Promise<void> {
    const { wasm } = this.#kernels;
    const { sort, dedupe } = this.#order;
    for (const column of this.#columns) {
      column.settle(true, Math.min(rows, groupRows));
      // no more values come: sorting has the memory of the tables instead
      wasm.dropTable(column.address);
    }
    const bytes = this.#packedBytes();
    // in a hole that is there now: behind the keys it would stay where they were, and no large column fit there
    this.#require(wasm.keepRows(rows));
    for (const leaf of this.#keyLeaves()) this.#parked[leaf].unpark();
    wasm.clearKeys();
    for (const { leaf, descending } of sort) {
      this.#require(wasm.addKey(this.#columns[leaf].address, descending ? 1 : 0));
    }
    for (const leaf of dedupe) this.#require(wasm.addKey(this.#columns[leaf].address, 0));
    const keyed = sort.length + dedupe.length > 0;
    this.#require(keyed ? wasm.sortRows(sort.length) : wasm.keepRows(rows));
    const waitingOrigins = new WaitingOrigins(rows, waiting);
    const { kept, deleted } = waitingOrigins.leaveOut(this.#permutation(), this.#drop);
    wasm.setPermutationLength(kept);
    const change = sort.length === 0 ? undefined : wasm.keyChange;
    const ranges = cutRows(kept, bytes * kept / rows, this.#settings, change);
    wasm.clearKeys();
    const origins = ranges.map((range) => this.#originsOf(range, waitingOrigins));
    if (ranges.length === 1) await this.#writeOne(file, ranges[0], kept === rows, origins[0]);
    else if (ranges.length > 1) await this.#writeAll(file, ranges, origins);
    this.#store.clear();
    // what failed is written anew, and counted then
    this.ranges++;
    this.dropped += rows - kept;
    for (const [origin, count] of deleted) {
      this.deleted.set(origin, (this.deleted.get(origin) ?? 0) + count);
    }
  }

  /** Leaves of the keys, each once. */
  #keyLeaves(): number[] {
    const { sort, dedupe } = this.#order;
    return [...new Set([...sort.map(({ leaf }) => leaf), ...dedupe])];
  }

  /** About how many bytes what waits takes as pages. */
  #packedBytes(): number {
    const { wasm } = this.#kernels;
    let bytes = 0;
    for (const [i, { address }] of this.#columns.entries()) {
      const plain = wasm.columnMode(address) === columnModes.plain;
      const pending = plain ? wasm.columnValueBytes(address) : 2 * wasm.columnPresent(address);
      bytes += this.#parked[i].bytes + pending + wasm.columnEntryBytes(address);
    }
    return bytes;
  }

  /** Writes one row group, column by column as they are made. */
  async #writeOne(file: ParquetFile, range: RowRange, all: boolean, origins: RowOrigins) {
    const chunks = function* (this: RowSorter): Generator<FinishedColumn> {
      for (const leaf of this.#columns.keys()) {
        yield* this.#gather(leaf, [range], all);
        this.#store.clear();
      }
    };
    await this.#writeGroup(file, chunks.call(this), range, origins);
  }

  /**
   * Writes row groups of which no column can be written before all are made: as much memory is given back of what was
   * packed as their pages take. What was unpacked to sort by comes first, so that it goes first.
   */
  async #writeAll(file: ParquetFile, ranges: readonly RowRange[], origins: RowOrigins[]) {
    const groups = ranges.map((): FinishedColumn[] => []);
    for (const leaf of new Set([...this.#keyLeaves(), ...this.#columns.keys()])) {
      let group = 0;
      for (const chunk of this.#gather(leaf, ranges, false)) {
        groups[group++][leaf] = holdChunk(chunk, this.#cells);
        this.#store.clear();
      }
    }
    for (const [i, range] of ranges.entries()) {
      await this.#writeGroup(file, groups[i], range, origins[i]);
    }
  }

  /** Makes a column's chunks. @param all whether they have all rows that wait */
  *#gather(leaf: number, ranges: readonly RowRange[], all: boolean): Generator<FinishedColumn> {
    const column = this.#columns[leaf];
    this.#parked[leaf].unpark();
    column.startGather();
    for (const { from, rows } of ranges) yield column.gather(from, rows, all);
    column.endGather();
  }

  async #writeGroup(
    file: ParquetFile,
    columns: Iterable<FinishedColumn>,
    { rows }: RowRange,
    origins: RowOrigins,
  ) {
    const { sort } = this.#order;
    const sortingColumns = sort.map(({ leaf, descending }) => ({
      columnIndex: leaf,
      descending,
      nullsFirst: false,
    }));
    await file.begin();
    const written = await writeRowGroup(
      file.writer,
      columns,
      rows,
      file.groupCount,
      sort.length === 0 ? undefined : sortingColumns,
    );
    file.add({ ...written, origins });
  }

  /** The rows [from, to) of the permutation; a view, valid until memory grows. */
  #permutation(from = 0, to = this.#kernels.wasm.permutationLength()): Uint32Array {
    const { wasm } = this.#kernels;
    return new Uint32Array(wasm.memory.buffer, wasm.permutationPtr() + 4 * from, to - from);
  }

  /** Where the rows of a range came from; not known where that is too much to keep. */
  #originsOf({ from, rows }: RowRange, waiting: WaitingOrigins): RowOrigins {
    const all = waiting.of(this.#permutation(from, from + rows));
    this.#runs += all.runCount;
    return this.#runs > mostRuns ? RowOrigins.of(unknownOrigin, rows) : all;
  }

  #require(done: number): void {
    if (done === 0) throw this.#kernels.error({});
  }
}
