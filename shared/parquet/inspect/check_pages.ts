import { crc32 } from "node:zlib";
import type { ChunkTable } from "./chunk_table.ts";
import type { ParquetLimits } from "../format/limits.ts";
import {
  codec,
  type ColumnMetaData,
  encoding,
  enumName,
  pageType,
  physicalType,
} from "../format/metadata.ts";
import { atPlace, parquetError } from "../format/parquet_error.ts";
import { type PageHeader, readPageHeader } from "../format/page_header.ts";
import { DecodeTotalling, type DecodeTotals } from "./decode_totals.ts";
import { PageWeighing, pageWeight, type PageWeights } from "./page_weights.ts";
import { valueWidth } from "../format/value_order.ts";
import type { SchemaNode, SchemaTree } from "../format/schema.ts";
import { allAtOnce, type Steps } from "../format/steps.ts";

/** What the page headers of a file say. */
export interface WalkedPages {
  /** What the heaviest pages take. */
  weights: PageWeights;
  /** What decoding all of them takes. */
  totals: DecodeTotals;
}

/** What of a chunk's metadata its pages are held to. */
type ChunkMeta = Pick<ColumnMetaData, "numValues" | "codec">;

/** Headers that are walked before others may go on: half a millisecond. A chunk takes as long as so many. */
const pagesAtOnce = 512, pagesAChunk = 16;

/**
 * Walks the page headers of all chunks of a file in memory, without decompressing: every size and count that
 * a reader would allocate by is checked against the chunk and the limits, and CRCs where the writer gave them.
 * The footer must have passed `FooterCheck`. Throws `invalid_parquet`, `unsupported_parquet` or
 * `page_too_large` naming row group, column and page. Comes back now and then, for who lets others go on meanwhile.
 */
export function* walkPages(
  bytes: Uint8Array,
  chunks: ChunkTable,
  tree: SchemaTree,
  limits: Readonly<ParquetLimits>,
): Steps<WalkedPages> {
  const weighing = new PageWeighing();
  const totalling = new DecodeTotalling();
  const columns = tree.leaves.length;
  let walked = 0;
  for (let rowGroup = 0; rowGroup < chunks.groups; rowGroup++) {
    if (chunks.rows(rowGroup) === 0) continue;
    for (let i = 0; i < columns; i++) {
      const at = rowGroup * columns + i;
      const meta = { numValues: chunks.values(at), codec: chunks.codec(at) };
      const start = chunks.start(at);
      const before = totalling.totals.pages;
      try {
        const chunk = bytes.subarray(start, start + chunks.length(at));
        weighing.addChunk(yield* walkChunk(chunk, meta, tree.leaves[i], limits, totalling));
      } catch (error) {
        throw atPlace(error, { rowGroup, column: tree.leaves[i].path });
      }
      walked += pagesAChunk + totalling.totals.pages - before;
      if (walked < pagesAtOnce) continue;
      walked = 0;
      yield;
    }
    weighing.groupEnds();
  }
  return { weights: weighing.weights, totals: totalling.totals };
}

/**
 * Walks the pages of one chunk.
 * @param bytes the chunk's extent
 */
export function checkChunkPages(
  bytes: Uint8Array,
  meta: ColumnMetaData,
  leaf: SchemaNode,
  limits: Readonly<ParquetLimits>,
): void {
  allAtOnce(walkChunk(bytes, meta, leaf, limits));
}

/** @returns what the chunk's heaviest page takes, as {@link pageWeight} has it */
function* walkChunk(
  bytes: Uint8Array,
  meta: ChunkMeta,
  leaf: SchemaNode,
  limits: Readonly<ParquetLimits>,
  totalling?: DecodeTotalling,
): Steps<number> {
  let position = 0, values = 0, page = 0, heaviest = 0, hasDictionary = false;
  while (values < meta.numValues) {
    if (position >= bytes.length) {
      throw parquetError(
        "invalid_parquet",
        `the chunk's ${bytes.length} bytes end after ${values} of ${meta.numValues} values`,
      );
    }
    try {
      if (page >= limits.chunkPages) {
        throw parquetError("unsupported_parquet", `the chunk has over ${limits.chunkPages} pages`);
      }
      const header = readPageHeader(bytes, position);
      const body = position + header.headerLength;
      checkSizes(header, meta, bytes.length - body, limits);
      if (header.type === pageType.DICTIONARY_PAGE) {
        if (hasDictionary || values > 0) {
          throw parquetError("invalid_parquet", "a dictionary page is not the chunk's first page");
        }
        hasDictionary = true;
        checkDictionary(header, leaf);
      } else if (header.type !== pageType.INDEX_PAGE) {
        checkDataPage(header, leaf, meta, values, hasDictionary, limits);
        values += header.numValues;
      }
      heaviest = Math.max(heaviest, pageWeight(header));
      totalling?.addPage(header, meta.codec);
      position = body + header.compressedSize;
      // Deno 2.1 gives it as a signed number
      if (header.crc !== -1 && crc32(bytes.subarray(body, position)) >>> 0 !== header.crc) {
        throw parquetError("invalid_parquet", "the page's bytes do not have the CRC of its header");
      }
    } catch (error) {
      throw atPlace(error, { page });
    }
    page++;
    if (page % pagesAtOnce === 0) yield;
  }
  return heaviest;
}

function checkSizes(
  header: PageHeader,
  meta: ChunkMeta,
  bytesLeft: number,
  limits: Readonly<ParquetLimits>,
): void {
  if (header.type < 0 || header.type > pageType.DATA_PAGE_V2) {
    throw parquetError("unsupported_parquet", `the page is of the unknown type ${header.type}`);
  }
  const largest = Math.max(header.uncompressedSize, header.compressedSize);
  if (largest > limits.pageBytes) {
    throw parquetError(
      "page_too_large",
      `the page declares ${largest} bytes, over the ${limits.pageBytes} allowed`,
      {},
      { expected: `pages of at most ${limits.pageBytes} bytes` },
    );
  }
  if (header.compressedSize > bytesLeft) {
    throw parquetError(
      "invalid_parquet",
      `the page declares ${header.compressedSize} bytes, and ${bytesLeft} are left in the chunk`,
    );
  }
  const stored = meta.codec === codec.UNCOMPRESSED || !header.isCompressed;
  if (stored && header.compressedSize !== header.uncompressedSize) {
    throw parquetError(
      "invalid_parquet",
      `the page is not compressed and declares ${header.compressedSize} and ` +
        `${header.uncompressedSize} bytes`,
    );
  }
}

/** Fewest bytes that one value takes in PLAIN encoding. */
function plainBytes(leaf: SchemaNode): number {
  const { type } = leaf.element;
  if (type === physicalType.BOOLEAN) return 0;
  return type === physicalType.BYTE_ARRAY ? 4 : valueWidth(leaf);
}

function checkDictionary(header: PageHeader, leaf: SchemaNode): void {
  if (header.encoding !== encoding.PLAIN && header.encoding !== encoding.PLAIN_DICTIONARY) {
    throw parquetError(
      "unsupported_parquet",
      `the dictionary page has the encoding ${header.encoding}, not PLAIN`,
    );
  }
  if (leaf.element.type === physicalType.BOOLEAN) {
    throw parquetError("invalid_parquet", "a boolean column has a dictionary page");
  }
  if (header.numValues * plainBytes(leaf) > header.uncompressedSize) {
    throw parquetError(
      "invalid_parquet",
      `the dictionary declares ${header.numValues} entries in ${header.uncompressedSize} bytes`,
    );
  }
}

function checkDataPage(
  header: PageHeader,
  leaf: SchemaNode,
  meta: ChunkMeta,
  valuesBefore: number,
  hasDictionary: boolean,
  limits: Readonly<ParquetLimits>,
): void {
  if (header.numValues > limits.pageValues) {
    throw parquetError(
      "page_too_large",
      `the page declares ${header.numValues} values, over the ${limits.pageValues} allowed`,
      {},
      { expected: `pages of at most ${limits.pageValues} values` },
    );
  }
  if (valuesBefore + header.numValues > meta.numValues) {
    throw parquetError(
      "invalid_parquet",
      `the pages hold ${
        valuesBefore + header.numValues
      } values and more, the chunk ${meta.numValues}`,
    );
  }
  checkEncoding(header.encoding, leaf.element.type!);
  const indexed = header.encoding === encoding.RLE_DICTIONARY ||
    header.encoding === encoding.PLAIN_DICTIONARY;
  // also where all values are null: DuckDB and arrow-rs look for it
  if (indexed && !hasDictionary && header.numValues > 0) {
    throw parquetError(
      "invalid_parquet",
      "the page is dictionary-encoded in a chunk without a dictionary",
    );
  }
  if (header.type === pageType.DATA_PAGE_V2) return checkV2(header, leaf);
  checkLevelEncoding(leaf.definitionLevel, header.definitionLevelEncoding);
  checkLevelEncoding(leaf.repetitionLevel, header.repetitionLevelEncoding);
  if (leaf.definitionLevel === 0) checkRequiredValues(header, leaf, header.uncompressedSize);
}

const { INT32, INT64, FLOAT, DOUBLE, BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY } = physicalType;

/** The physical types that an encoding is for (Encodings.md); of those that are not here, all. */
const encodedTypes: Record<number, readonly number[]> = {
  [encoding.RLE]: [physicalType.BOOLEAN],
  [encoding.BIT_PACKED]: [],
  [encoding.DELTA_BINARY_PACKED]: [INT32, INT64],
  [encoding.DELTA_LENGTH_BYTE_ARRAY]: [BYTE_ARRAY],
  [encoding.DELTA_BYTE_ARRAY]: [BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY],
  [encoding.BYTE_STREAM_SPLIT]: [INT32, INT64, FLOAT, DOUBLE, FIXED_LEN_BYTE_ARRAY],
};

function checkEncoding(found: number, type: number): void {
  const types = encodedTypes[found];
  if (types === undefined || types.includes(type)) return;
  throw parquetError(
    "invalid_parquet",
    `the page has the encoding ${enumName(encoding, found)}, which is not for values of type ` +
      enumName(physicalType, type),
  );
}

function checkLevelEncoding(maxLevel: number, found: number): void {
  if (maxLevel > 0 && found !== encoding.RLE && found !== encoding.BIT_PACKED) {
    throw parquetError("unsupported_parquet", `the page's levels have the encoding ${found}`);
  }
}

function checkV2(header: PageHeader, leaf: SchemaNode): void {
  const levels = header.definitionLevelsLength + header.repetitionLevelsLength;
  if (levels > header.uncompressedSize || levels > header.compressedSize) {
    throw parquetError(
      "invalid_parquet",
      `the page's levels take ${levels} bytes of ${header.compressedSize} ` +
        `(${header.uncompressedSize} decompressed)`,
    );
  }
  if (leaf.definitionLevel === 0) {
    checkRequiredValues(header, leaf, header.uncompressedSize - levels);
  }
}

/** Values that are never null and PLAIN take a known number of bytes at least. */
function checkRequiredValues(header: PageHeader, leaf: SchemaNode, size: number): void {
  if (header.encoding !== encoding.PLAIN) return;
  const least = leaf.element.type === physicalType.BOOLEAN
    ? Math.ceil(header.numValues / 8)
    : header.numValues * plainBytes(leaf);
  if (size < least) {
    throw parquetError(
      "invalid_parquet",
      `the page declares ${header.numValues} values in ${size} bytes`,
    );
  }
}
