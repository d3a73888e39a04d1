import { type Kernels } from "../../kernels/kernels.ts";
import {
  type ColumnMetaData,
  encoding,
  type PageEncodingStats,
  pageType,
  type Statistics,
} from "../../format/metadata.ts";
import type { ColumnIndex, OffsetIndex, PageLocation } from "../../format/page_index.ts";
import { holdsText, valueOrder, valueWidth } from "../../format/value_order.ts";
import type { SchemaNode } from "../../format/schema.ts";
import { type Bounds, joinBounds, readBounds } from "../../write/bounds.ts";
import { withinPrecision } from "../../write/decimal_bounds.ts";
import { columnIndex, type PageFacts } from "../../write/row_group_writer.ts";

/** Pages of a chunk that get page indexes: those of very small pages would take more memory than the pages. */
const mostIndexed = 10_000;

/**
 * What is said of a chunk that is copied out of an upload: all of it follows from the pages as they were decoded, as a
 * footer may say anything, and what it says of one file would make readers pass over rows of the merged one.
 */
export class CopiedPages {
  readonly #kernels: Kernels;
  readonly #leaf: SchemaNode;
  readonly #order: number;
  /** Address of the kernels' column that the pages are decoded into. */
  readonly #column: number;
  /** Where the next page begins in the output. */
  #offset: number;
  #dictionaryOffset: number | undefined;
  #dataOffset: number | undefined;
  #uncompressedBytes = 0;
  readonly #encodings = new Set<number>([encoding.RLE]);
  readonly #encodingStats = new Map<string, PageEncodingStats>();
  #nulls = 0;
  #rows = 0;
  #bounds: Bounds | undefined;
  #bounded = true;
  /** For the indexes; undefined when they can't be had. */
  #pages: PageFacts[] | undefined = [];
  readonly #locations: PageLocation[] = [];

  /** @param offset where the chunk begins in the output */
  constructor(kernels: Kernels, column: number, leaf: SchemaNode, offset: number) {
    this.#kernels = kernels;
    this.#column = column;
    this.#leaf = leaf;
    this.#order = valueOrder(leaf);
    this.#offset = offset;
    kernels.wasm.watchBounds(column, leaf.element.type!, valueWidth(leaf), this.#order);
  }

  /** Takes what the kernels know of the page that they read last. @param length of its header and body, bytes */
  add(length: number): void {
    const { wasm } = this.#kernels;
    const type = wasm.getPageType();
    const offset = this.#offset;
    this.#offset += length;
    this.#uncompressedBytes += length + wasm.getPageGrowth();
    if (type === pageType.INDEX_PAGE) return;
    this.#countEncoding(type, wasm.getPageEncoding());
    if (type === pageType.DICTIONARY_PAGE) this.#dictionaryOffset = offset;
    else this.#addData(offset, length);
  }

  #countEncoding(type: number, valueEncoding: number): void {
    this.#encodings.add(valueEncoding);
    const key = `${type} ${valueEncoding}`;
    const stats = this.#encodingStats.get(key);
    if (stats !== undefined) stats.count++;
    else this.#encodingStats.set(key, { pageType: type, encoding: valueEncoding, count: 1 });
  }

  #addData(offset: number, compressedPageSize: number): void {
    const { wasm } = this.#kernels;
    const values = wasm.columnCount(this.#column), rows = wasm.columnRows(this.#column);
    const nulls = values - wasm.columnPresent(this.#column);
    const bounds = this.#order === 0 || nulls === values ? undefined : withinPrecision(
      readBounds(this.#kernels.view, wasm.statsPtr(), this.#order, holdsText(this.#leaf)),
      this.#leaf,
    );
    this.#dataOffset ??= offset;
    this.#nulls += nulls;
    if (bounds === undefined) this.#bounded &&= nulls === values;
    else if (this.#bounds === undefined) this.#bounds = bounds;
    else this.#bounds = joinBounds(this.#order, this.#bounds, bounds);
    // an index leads to rows: a page without any, or that goes on with the row before, has no place in it
    const indexed = rows > 0 && wasm.pageStartsRow(this.#column) !== 0 &&
      this.#locations.length < mostIndexed;
    if (!indexed) this.#pages = undefined;
    this.#pages?.push({ values, nulls, bounds });
    if (indexed) {
      this.#locations.push({ offset, compressedPageSize, firstRowIndex: this.#rows });
    }
    this.#rows += rows;
  }

  /** Bytes of the pages, headers and decompressed bodies. */
  get uncompressedBytes(): number {
    return this.#uncompressedBytes;
  }

  /** The chunk's page indexes, where there are any. */
  indexes(): { columnIndex: ColumnIndex | undefined; offsetIndex: OffsetIndex | undefined } {
    if (this.#pages === undefined) return { columnIndex: undefined, offsetIndex: undefined };
    return {
      columnIndex: columnIndex(this.#order, this.#pages),
      offsetIndex: { pages: this.#locations, unencodedByteArrayDataBytes: undefined },
    };
  }

  /**
   * The chunk's metadata in the output.
   * @param meta what the upload says of it, and the pages bear out
   * @param path of the output's leaf: the upload's may name the inner groups of a list otherwise
   */
  metadata(
    { type, codec, numValues, totalCompressedSize, keyValues }: ColumnMetaData,
    path: readonly string[],
  ): ColumnMetaData {
    return {
      type,
      encodings: [...this.#encodings].sort((a, b) => a - b),
      path: [...path],
      codec,
      numValues,
      totalUncompressedSize: this.#uncompressedBytes,
      totalCompressedSize,
      keyValues,
      dataPageOffset: this.#dataOffset!,
      indexPageOffset: undefined,
      dictionaryPageOffset: this.#dictionaryOffset,
      statistics: this.#statistics(),
      encodingStats: [...this.#encodingStats.values()],
      bloomFilterOffset: undefined,
      bloomFilterLength: undefined,
      sizeStatistics: undefined,
      geospatialStatistics: undefined,
    };
  }

  #statistics(): Statistics {
    const bounds = this.#bounded ? this.#bounds : undefined;
    return {
      max: undefined,
      min: undefined,
      nullCount: this.#nulls,
      distinctCount: undefined,
      maxValue: bounds?.max,
      minValue: bounds?.min,
      isMaxExact: bounds?.maxExact,
      isMinExact: bounds?.minExact,
    };
  }
}
