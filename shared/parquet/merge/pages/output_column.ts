import { SedimentError } from "../../../errors.ts";
import { columnModes, type Kernels } from "../../kernels/kernels.ts";
import type { Zstd } from "../../../compression/zstd.ts";
import { codec, encoding, pageType } from "../../format/metadata.ts";
import type { SchemaNode } from "../../format/schema.ts";
import { readBounds } from "../../write/bounds.ts";
import { withinPrecision } from "../../write/decimal_bounds.ts";
import type { FinishedColumn, FinishedPage } from "../../write/finished_column.ts";
import { pageBytes } from "../../write/page_bytes.ts";
import type { PageStore } from "../../write/page_store.ts";
import { dictionaryPays } from "./dictionary_choice.ts";
import { holdsText, valueOrder, valueWidth } from "../../format/value_order.ts";

/** How pages are made. */
export interface PageSettings {
  /** codec.SNAPPY or codec.ZSTD; a chunk that does not shrink is left uncompressed. */
  codec: number;
  zstd: Zstd | undefined;
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

/** A chunk whose first page keeps more than this part of its size is not compressed at all. */
const worthCompressing = 0.94;

/** An output column: the kernels' column and the pages that were cut from it for the open row group. */
export class OutputColumn implements FinishedColumn {
  readonly leaf: SchemaNode;
  /** Address of the kernels' column. */
  readonly address: number;
  readonly order: number;
  readonly #isText: boolean;
  readonly #kernels: Kernels;
  readonly #settings: PageSettings;
  readonly #store: PageStore;
  /** Data pages of the open row group, the dictionary page left out. */
  pages: FinishedPage[] = [];
  /** Bytes of the finished pages. */
  pagedBytes = 0;
  /** Rows of them. */
  pagedRows = 0;
  /** The chunk's codec; undefined until its first page. */
  codec: number | undefined;
  #dictionaryPages = 0;
  /** The kernels' column that takes rows which are gathered. */
  #target = 0;
  /** Row groups in a row that settled on PLAIN with nothing to be gained. */
  #plainGroups = 0;
  #fewRepeats = false;
  /** Whether the row group's values were looked at early. */
  #looked = false;

  constructor(kernels: Kernels, leaf: SchemaNode, settings: PageSettings, store: PageStore) {
    this.#kernels = kernels;
    this.#store = store;
    this.leaf = leaf;
    this.#settings = settings;
    this.order = valueOrder(leaf);
    this.#isText = holdsText(leaf);
    this.address = this.#newColumn();
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
      this.#makePage(take);
      rows -= take;
    }
  }

  /** Cuts full pages while no value waits: those of nulls are what they are whatever is chosen later. */
  #cutNulls(rows: number): void {
    const { pageRows } = this.#settings;
    if (this.#kernels.wasm.columnPresent(this.address) > 0) return;
    for (let left = rows; left >= pageRows; left -= pageRows) this.#makePage(pageRows);
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
    this.#forgetPages();
    const bytes = wasm.columnMode(this.address) === columnModes.plain
      ? wasm.columnValueBytes(this.address) / Math.max(1, this.pendingRows)
      : 0;
    const step = Math.max(1, Math.min(pageRows, Math.floor(pageBytes / Math.max(1, bytes))));
    for (let done = 0; done < rows; done += step) {
      const count = Math.min(step, rows - done);
      this.#require(wasm.gatherRows(this.#target, this.address, from + done, count));
      this.#makePage(count, this.#target);
    }
    checkRows(this, rows);
    const dictionary = this.#dictionaryPages === 0 ? undefined : this.#packDictionary(this.#target);
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

  #makePage(rows: number, column = this.address): void {
    const { wasm } = this.#kernels;
    this.#require(wasm.makePage(column, rows));
    const values = wasm.getPageLevels();
    const present = wasm.getPagePresent();
    const indexed = wasm.columnMode(column) === columnModes.dictionary;
    const bounds = present === 0 ? undefined : withinPrecision(
      readBounds(this.#kernels.view, wasm.statsPtr(), this.order, this.#isText),
      this.leaf,
    );
    const valueEncoding = indexed ? encoding.RLE_DICTIONARY : encoding.PLAIN;
    if (indexed) this.#dictionaryPages++;
    const { bytes, uncompressedBytes } = this.#pack(pageType.DATA_PAGE, valueEncoding, values);
    this.pages.push({
      bytes,
      uncompressedBytes,
      encoding: valueEncoding,
      rows: wasm.getPageRows(),
      values,
      nulls: values - present,
      bounds,
    });
    this.pagedBytes += bytes.length;
    this.pagedRows += wasm.getPageRows();
    wasm.dropPage(column);
  }

  /** Compresses the page that the kernels made last, and puts its header before it. */
  #pack(type: number, valueEncoding: number, values: number) {
    const body = this.#compressed();
    const length = this.#kernels.wasm.getRawLength();
    const { bytes, headerLength } = pageBytes(
      this.#store,
      type,
      valueEncoding,
      values,
      length,
      body,
    );
    return { bytes, uncompressedBytes: headerLength + length };
  }

  #compressed(): Uint8Array {
    const { wasm } = this.#kernels;
    const length = wasm.getRawLength();
    if (this.codec !== codec.UNCOMPRESSED) {
      const packed = this.#settings.codec === codec.ZSTD
        ? this.#settings.zstd!.compress(this.#kernels.bytes(wasm.getRawPtr(), length))
        : this.#snappy();
      this.codec ??= packed.length > length * worthCompressing && length > 64
        ? codec.UNCOMPRESSED
        : this.#settings.codec;
      if (this.codec !== codec.UNCOMPRESSED) return packed;
    }
    return this.#kernels.bytes(wasm.getRawPtr(), length);
  }

  #snappy(): Uint8Array {
    const length = this.#kernels.wasm.packSnappy();
    if (length === 0) throw this.#kernels.error({ column: this.leaf.path });
    return this.#kernels.bytes(this.#kernels.wasm.getPackedPtr(), length);
  }

  /** The dictionary page of the row group, after the last data page; undefined when none refers to it. */
  dictionaryPage(): { bytes: Uint8Array; uncompressedBytes: number } | undefined {
    return this.#dictionaryPages === 0 ? undefined : this.#packDictionary(this.address);
  }

  #packDictionary(column: number) {
    const { wasm } = this.#kernels;
    wasm.makeDictionaryPage(column);
    return this.#pack(pageType.DICTIONARY_PAGE, encoding.PLAIN, wasm.columnEntryCount(column));
  }

  /** Forgets the row group, which was written or given up; with `carry` the rows that wait begin the next one. */
  startGroup(carry = false): void {
    // every fourth row group looks again whether a dictionary pays
    const skip = this.#fewRepeats && this.#plainGroups < 3;
    this.#plainGroups = skip ? this.#plainGroups + 1 : 0;
    const { wasm } = this.#kernels;
    if (carry) this.#require(wasm.restartGroup(this.address, skip ? 1 : 0));
    else wasm.startGroup(this.address, skip ? 1 : 0);
    this.#forgetPages();
    this.codec = undefined;
    this.#looked = false;
  }

  #forgetPages(): void {
    this.pages = [];
    this.pagedRows = 0;
    this.pagedBytes = 0;
    this.#dictionaryPages = 0;
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
