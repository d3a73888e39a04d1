import type { Zstd } from "../../../compression/zstd.ts";
import { codec, encoding, pageType } from "../../format/metadata.ts";
import type { SchemaNode } from "../../format/schema.ts";
import { columnModes, type Kernels, snappySlots } from "../../kernels/kernels.ts";
import { readBounds } from "../../write/bounds.ts";
import { withinPrecision } from "../../write/decimal_bounds.ts";
import type { FinishedPage } from "../../write/finished_column.ts";
import { pageBytes } from "../../write/page_bytes.ts";
import type { PageStore } from "../../write/page_store.ts";

/** How a chunk's pages are compressed. */
export interface PageCodec {
  /** codec.SNAPPY or codec.ZSTD; a chunk that does not shrink is left uncompressed. */
  codec: number;
  zstd: Zstd | undefined;
}

/** A chunk whose first page keeps more than this part of its size is not compressed at all. */
const worthCompressing = 0.94;

/** The pages of a column's chunk: made by the kernels, compressed, with their headers and bounds. */
export class ChunkPages {
  /** Data pages, the dictionary page left out. */
  pages: FinishedPage[] = [];
  /** Bytes of them. */
  bytes = 0;
  /** Rows of them. */
  rows = 0;
  /** The chunk's codec; undefined until its first page. */
  codec: number | undefined;
  readonly #kernels: Kernels;
  readonly #leaf: SchemaNode;
  readonly #order: number;
  readonly #isText: boolean;
  readonly #settings: PageCodec;
  readonly #store: PageStore;
  #indexedPages = 0;

  /**
   * @param order of the leaf's values (`valueOrder`)
   * @param isText whether they are text (`holdsText`)
   */
  constructor(
    kernels: Kernels,
    leaf: SchemaNode,
    order: number,
    isText: boolean,
    settings: PageCodec,
    store: PageStore,
  ) {
    this.#kernels = kernels;
    this.#leaf = leaf;
    this.#order = order;
    this.#isText = isText;
    this.#settings = settings;
    this.#store = store;
  }

  /** Makes a page of the first `rows` rows that wait in the kernels' column at `column`. */
  make(column: number, rows: number): void {
    const { wasm } = this.#kernels;
    this.#require(wasm.makePage(column, rows));
    const values = wasm.getPageLevels();
    const present = wasm.getPagePresent();
    const indexed = wasm.columnMode(column) === columnModes.dictionary;
    const bounds = present === 0 ? undefined : withinPrecision(
      readBounds(this.#kernels.view, wasm.statsPtr(), this.#order, this.#isText),
      this.#leaf,
    );
    const valueEncoding = indexed ? encoding.RLE_DICTIONARY : encoding.PLAIN;
    if (indexed) this.#indexedPages++;
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
    this.bytes += bytes.length;
    this.rows += wasm.getPageRows();
    wasm.dropPage(column);
  }

  /** Makes the page of the dictionary in the kernels' column at `column`; undefined when no data page refers to it. */
  makeDictionary(column: number): { bytes: Uint8Array; uncompressedBytes: number } | undefined {
    if (this.#indexedPages === 0) return undefined;
    const { wasm } = this.#kernels;
    wasm.makeDictionaryPage(column);
    return this.#pack(pageType.DICTIONARY_PAGE, encoding.PLAIN, wasm.columnEntryCount(column));
  }

  /** Begins another chunk of the same codec. */
  clear(): void {
    this.pages = [];
    this.rows = 0;
    this.bytes = 0;
    this.#indexedPages = 0;
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
    const { wasm } = this.#kernels;
    const length = wasm.packSnappy(snappySlots.pages);
    this.#require(length);
    return this.#kernels.bytes(wasm.getPackedPtr(), length);
  }

  #require(done: number): void {
    if (done === 0) throw this.#kernels.error({ column: this.#leaf.path });
  }
}
