import { SedimentError } from "../../../errors.ts";
import { columnModes, type Kernels } from "../../kernels/kernels.ts";
import type { SchemaNode } from "../../format/schema.ts";
import type { FinishedColumn, FinishedPage } from "../../write/finished_column.ts";
import type { PageStore } from "../../write/page_store.ts";
import { ChunkPages, type PageCodec } from "./chunk_pages.ts";
import { dictionaryPays } from "./dictionary_choice.ts";
import { holdsText, valueOrder, valueWidth } from "../../format/value_order.ts";

/** How pages are made. */
export interface PageSettings extends PageCodec {
  /** Rows after which a page is cut. */
  pageRows: number;
  /** Bytes of values after which a page is cut. */
  pageBytes: number;
}

/** Values that are looked at before a row group's column settles on a dictionary or PLAIN. */
export const decideAfter = 16_000;

/** Values after which a column is given up on whose values hardly ever repeat. */
export const giveUpAfter = 2_000;

/** A dictionary that grew past this is closed: further pages are PLAIN. */
export const dictionaryBytes = 1024 * 1024;

/** An output column: the kernels' column and the pages that were cut from it for the open row group. */
export class OutputColumn implements FinishedColumn {
  readonly leaf: SchemaNode;
  /** Address of the kernels' column. */
  readonly address: number;
  readonly order: number;
  readonly #isText: boolean;
  readonly #kernels: Kernels;
  readonly #settings: PageSettings;
  readonly #chunk: ChunkPages;
  /** The kernels' column that takes rows which are gathered. */
  #target = 0;
  /** Row groups in a row that settled on PLAIN with nothing to be gained. */
  #plainGroups = 0;
  #fewRepeats = false;
  /** Whether the row group's values were looked at early. */
  #looked = false;

  constructor(kernels: Kernels, leaf: SchemaNode, settings: PageSettings, store: PageStore) {
    this.#kernels = kernels;
    this.leaf = leaf;
    this.#settings = settings;
    this.order = valueOrder(leaf);
    this.#isText = holdsText(leaf);
    this.address = this.#newColumn();
    this.#chunk = new ChunkPages(kernels, leaf, this.order, this.#isText, settings, store);
  }

  /** Data pages of the open row group, the dictionary page left out. */
  get pages(): readonly FinishedPage[] {
    return this.#chunk.pages;
  }

  /** Bytes of the finished pages. */
  get pagedBytes(): number {
    return this.#chunk.bytes;
  }

  /** Rows of them. */
  get pagedRows(): number {
    return this.#chunk.rows;
  }

  /** The chunk's codec; undefined until its first page. */
  get codec(): number | undefined {
    return this.#chunk.codec;
  }

  /** Rows that wait for a page. */
  get pendingRows(): number {
    return this.#kernels.wasm.columnRows(this.address);
  }

  /**
   * Cuts the pages that are full; with `all` everything that waits. `rowsToCome` is about how many rows the
   * row group will have, for the choice of a dictionary. With `inRow` the last row may go on in the next page of
   * the input, and stays; so do rows behind the first `most`.
   */
  cut(all: boolean, rowsToCome: number, inRow = false, most = Infinity): void {
    const { wasm } = this.#kernels;
    const { address } = this;
    const { pageRows } = this.#settings;
    let rows = wasm.columnRows(address);
    if (inRow && this.leaf.repetitionLevel > 0) rows--;
    rows = Math.min(rows, most);
    const mode = this.settle(all, rowsToCome);
    if (mode === columnModes.open) return this.#cutNulls(rows);
    while (rows > 0) {
      let take = rows;
      if (
        mode === columnModes.plain && wasm.columnValueBytes(address) >= this.#settings.pageBytes
      ) {
        const within = wasm.rowsWithin(address, this.#settings.pageBytes);
        take = Math.min(rows, pageRows, within);
      } else if (rows >= pageRows) take = pageRows;
      else if (!all) return;
      this.#chunk.make(this.address, take);
      rows -= take;
    }
  }

  /** Cuts full pages while no value waits: those of nulls are what they are whatever is chosen later. */
  #cutNulls(rows: number): void {
    const { pageRows } = this.#settings;
    if (this.#kernels.wasm.columnPresent(this.address) > 0) return;
    for (let left = rows; left >= pageRows; left -= pageRows) {
      this.#chunk.make(this.address, pageRows);
    }
  }

  /** Makes the choice of a dictionary or PLAIN, when enough is known or with `all`; gives the column's mode. */
  settle(all: boolean, rowsToCome: number): number {
    const { wasm } = this.#kernels;
    const { address } = this;
    const mode = wasm.columnMode(address);
    if (mode === columnModes.open) {
      const rows = wasm.columnRows(address);
      const present = wasm.columnPresent(address);
      const early = !all && present < decideAfter && rows < 4 * this.#settings.pageRows;
      if (early && (present < giveUpAfter || this.#looked)) return mode;
      this.#decide(present, rows, rowsToCome, early);
    } else if (
      mode === columnModes.dictionary && wasm.columnEntryBytes(address) > dictionaryBytes
    ) {
      this.#require(wasm.choosePlain(address));
    }
    return wasm.columnMode(address);
  }

  /** Begins to take rows by the kernels' permutation; {@link endGather} then. */
  startGather(): void {
    this.#require(this.#kernels.wasm.startGather(this.address));
    this.#target = this.#newColumn();
  }

  /**
   * Makes the chunk of the rows [from, from + rows) of the kernels' permutation, with a dictionary of what they have.
   * @param all whether no other row waits, so that the dictionary is theirs as it is
   */
  gather(from: number, rows: number, all: boolean): FinishedColumn {
    const { wasm } = this.#kernels;
    const { pageRows, pageBytes } = this.#settings;
    const { leaf, order } = this;
    if (all) wasm.lendEntries(this.#target, this.address);
    else this.#require(wasm.lendUsedEntries(this.#target, this.address, from, rows));
    this.#chunk.clear();
    const bytes = wasm.columnMode(this.address) === columnModes.plain
      ? wasm.columnValueBytes(this.address) / Math.max(1, this.pendingRows)
      : 0;
    const step = Math.max(1, Math.min(pageRows, Math.floor(pageBytes / Math.max(1, bytes))));
    for (let done = 0; done < rows; done += step) {
      const count = Math.min(step, rows - done);
      this.#require(wasm.gatherRows(this.#target, this.address, from + done, count));
      this.#chunk.make(this.#target, count);
    }
    checkRows(this, rows);
    const dictionary = this.#chunk.makeDictionary(this.#target);
    return { leaf, order, codec: this.codec, pages: this.pages, dictionaryPage: () => dictionary };
  }

  /** Gives back what waited. */
  endGather(): void {
    const { wasm } = this.#kernels;
    wasm.endGather(this.#target);
    wasm.freeColumn(this.#target);
    wasm.releasePending(this.address);
  }

  #newColumn(): number {
    const { leaf } = this;
    const address = this.#kernels.wasm.newColumn(
      leaf.element.type!,
      valueWidth(leaf),
      leaf.definitionLevel,
      leaf.repetitionLevel,
      this.order,
    );
    if (address === 0) throw this.#kernels.error({ column: leaf.path });
    this.#kernels.wasm.requireText(address, this.#isText ? 1 : 0);
    return address;
  }

  #decide(present: number, rows: number, rowsToCome: number, early: boolean): void {
    this.#looked = true;
    const { wasm } = this.#kernels;
    const choice = dictionaryPays({
      values: present,
      entries: wasm.columnEntryCount(this.address),
      entryBytes: wasm.columnEntryBytes(this.address),
      plainBytes: wasm.plainBytesOf(this.address),
      valuesToCome: rows === 0 ? present : Math.max(present, present / rows * rowsToCome),
    });
    if (early && !choice.never) return;
    this.#fewRepeats = choice.fewRepeats;
    if (choice.pays) wasm.chooseDictionary(this.address);
    else this.#require(wasm.choosePlain(this.address));
  }

  #require(done: number): void {
    if (done === 0) throw this.#kernels.error({ column: this.leaf.path });
  }

  /** The dictionary page of the row group, after the last data page; undefined when none refers to it. */
  dictionaryPage(): { bytes: Uint8Array; uncompressedBytes: number } | undefined {
    return this.#chunk.makeDictionary(this.address);
  }

  /** Forgets the row group, which was written or given up; with `carry` the rows that wait begin the next one. */
  startGroup(carry = false): void {
    // every fourth row group looks again whether a dictionary pays
    const skip = this.#fewRepeats && this.#plainGroups < 3;
    this.#plainGroups = skip ? this.#plainGroups + 1 : 0;
    const { wasm } = this.#kernels;
    if (carry) this.#require(wasm.restartGroup(this.address, skip ? 1 : 0));
    else wasm.startGroup(this.address, skip ? 1 : 0);
    this.#chunk.clear();
    this.#chunk.codec = undefined;
    this.#looked = false;
  }
}

/** Throws when a column's pages don't hold the row group's rows: a fault of ours, never written out. */
export function checkRows(column: OutputColumn, rows: number): void {
  const has = column.pagedRows;
  if (has !== rows) {
    throw new SedimentError(
      "internal",
      `column ${column.leaf.path.join(".")} has ${has} rows of the group's ${rows}`,
    );
  }
}
