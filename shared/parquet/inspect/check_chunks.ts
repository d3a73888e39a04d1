import { type ChunkExtent, ChunkTable } from "./chunk_table.ts";
import type { ParquetLimits } from "../format/limits.ts";
import {
  codec,
  type ColumnChunk,
  type ColumnMetaData,
  encoding,
  type FileMetaData,
  type RowGroup,
} from "../format/metadata.ts";
import { parquetError } from "../format/parquet_error.ts";
import { isInside } from "../format/range_reader.ts";
import type { SchemaNode, SchemaTree } from "../format/schema.ts";
import { allAtOnce, chunksAtOnce, type Steps } from "../format/steps.ts";

/** Pages lie behind the leading magic. */
const firstByte = 4;

/**
 * Where a chunk begins and how long it is. Writers put 0 for "no dictionary", and some point data_page_offset
 * at the dictionary page, so the lower of the two offsets counts.
 */
export function chunkExtent(meta: ColumnMetaData): ChunkExtent {
  const dictionary = meta.dictionaryPageOffset;
  const start = dictionary !== undefined && dictionary > 0 && dictionary < meta.dataPageOffset
    ? dictionary
    : meta.dataPageOffset;
  return { start, length: meta.totalCompressedSize };
}

/** Readers refuse a file that lists another, whether its pages use it or not. */
const knownEncodings = new Set<number>(Object.values(encoding));

/** What a footer's row groups add up to. */
export interface FooterTotals {
  /** Rows of the row groups; they win over the footer's own count. */
  rowCount: number;
  /** Row groups that have rows. */
  rowGroupCount: number;
  compressedBytes: number;
  uncompressedBytes: number;
  /** Of all chunks, nulls and the entries of lists counted. */
  valueCount: number;
}

/**
 * Checks that a footer can be true of a file: every chunk has the schema's column, lies inside [4, footer) and
 * overlaps no other, counts add up, and nothing is encrypted or elsewhere. Nothing but the footer is read.
 * Throws `invalid_parquet` or `unsupported_parquet` naming row group and column.
 * @param pagesEnd offset of the footer
 */
export function checkFooter(
  metadata: FileMetaData,
  tree: SchemaTree,
  pagesEnd: number,
  limits: Readonly<ParquetLimits>,
): FooterTotals {
  const check = new FooterCheck(metadata, tree, pagesEnd, limits);
  for (const group of metadata.rowGroups) allAtOnce(check.add(group));
  return check.end();
}

/** The same, row group by row group, coming back now and then for who lets others go on meanwhile. */
export class FooterCheck {
  readonly #metadata: FileMetaData;
  readonly #tree: SchemaTree;
  readonly #pagesEnd: number;
  readonly #limits: Readonly<ParquetLimits>;
  readonly #byPosition: boolean;
  readonly #totals: FooterTotals = {
    rowCount: 0,
    rowGroupCount: 0,
    compressedBytes: 0,
    uncompressedBytes: 0,
    valueCount: 0,
  };
  /** Of the row groups so far. */
  readonly chunks = new ChunkTable();

  /** @param metadata whose row groups are not looked at */
  constructor(
    metadata: FileMetaData,
    tree: SchemaTree,
    pagesEnd: number,
    limits: Readonly<ParquetLimits>,
  ) {
    if (metadata.encrypted) {
      throw parquetError("unsupported_parquet", "the file names an encryption algorithm", {}, {
        expected: "a Parquet file without encryption",
      });
    }
    this.#metadata = metadata;
    this.#tree = tree;
    this.#pagesEnd = pagesEnd;
    this.#limits = limits;
    this.#byPosition = isOurs(this.#metadata);
  }

  /** Takes the next row group. */
  *add(group: RowGroup): Steps<void> {
    const totals = this.#totals, { chunks } = this, rowGroup = chunks.groups;
    checkGroup(group, rowGroup, this.#tree, this.#limits);
    totals.rowCount += group.numRows;
    if (group.numRows > 0) totals.rowGroupCount++;
    const { columns } = group;
    for (let index = 0; index < columns.length; index++) {
      const leaf = this.#tree.leaves[index];
      const meta = checkChunk(
        columns[index],
        leaf,
        group,
        rowGroup,
        this.#pagesEnd,
        this.#byPosition,
      );
      totals.compressedBytes += meta.totalCompressedSize;
      // old DuckDB wrote 0 here
      totals.uncompressedBytes += Math.max(meta.totalUncompressedSize, meta.totalCompressedSize);
      totals.valueCount += meta.numValues;
      chunks.addChunk(chunkExtent(meta), meta);
      if ((index + 1) % chunksAtOnce === 0) yield;
    }
    chunks.endGroup(group.numRows);
  }

  /** After the last one. */
  end(): FooterTotals {
    const totals = this.#totals, { fileValues } = this.#limits;
    if (totals.valueCount > fileValues) {
      throw parquetError(
        "unsupported_parquet",
        `the chunks declare ${totals.valueCount} values, over the ${fileValues} allowed in one file`,
      );
    }
    if (!Number.isSafeInteger(totals.rowCount) || !Number.isSafeInteger(totals.uncompressedBytes)) {
      throw parquetError("invalid_parquet", "the sizes of the row groups add up to more than 2^53");
    }
    checkDisjoint(this.chunks, this.#tree.leaves.length);
    return totals;
  }
}

function checkGroup(
  group: RowGroup,
  rowGroup: number,
  tree: SchemaTree,
  limits: Readonly<ParquetLimits>,
): void {
  if (group.columns.length !== tree.leaves.length) {
    throw parquetError(
      "invalid_parquet",
      `there are ${group.columns.length} column chunks, and the schema has ${tree.leaves.length} columns`,
      { rowGroup },
    );
  }
  if (group.numRows > limits.rowGroupRows) {
    throw parquetError(
      "unsupported_parquet",
      `the row group declares ${group.numRows} rows, over the ${limits.rowGroupRows} allowed`,
      { rowGroup },
    );
  }
}

function checkChunk(
  chunk: ColumnChunk,
  leaf: SchemaNode,
  group: RowGroup,
  rowGroup: number,
  pagesEnd: number,
  byPosition: boolean,
): ColumnMetaData {
  const place = { rowGroup, column: leaf.path };
  if (chunk.encrypted) {
    throw parquetError("unsupported_parquet", "the column is encrypted", place);
  }
  if (chunk.filePath !== undefined && chunk.filePath !== "") {
    throw parquetError("unsupported_parquet", "the column's data lies in another file", place);
  }
  const meta = chunk.metaData;
  if (meta === undefined) {
    throw parquetError("invalid_parquet", "the column chunk has no metadata", place);
  }
  const samePlace = byPosition || samePath(meta.path, leaf.path);
  if (meta.type !== leaf.element.type || !samePlace) {
    throw parquetError(
      "invalid_parquet",
      `the chunk is of column ${meta.path.join(".").slice(0, 120)}, physical type ${meta.type}`,
      place,
      { expected: `the schema's column, physical type ${leaf.element.type}` },
    );
  }
  if (meta.codec > codec.LZ4_RAW || meta.codec === codec.LZO) {
    throw parquetError("unsupported_parquet", `the codec ${meta.codec} is not supported`, place);
  }
  const unknown = meta.encodings.find((one) => !knownEncodings.has(one));
  if (unknown !== undefined) {
    throw parquetError("unsupported_parquet", `the encoding ${unknown} is not supported`, place);
  }
  const countsFit = leaf.repetitionLevel === 0
    ? meta.numValues === group.numRows
    : meta.numValues >= group.numRows && (group.numRows > 0 || meta.numValues === 0);
  if (!countsFit) {
    throw parquetError(
      "invalid_parquet",
      `the chunk declares ${meta.numValues} values, and the row group ${group.numRows} rows`,
      place,
    );
  }
  if (group.numRows > 0) checkExtent(meta, pagesEnd, place);
  return meta;
}

/** Page indexes and Bloom filters are not looked at: nothing relies on them, and a copy leaves out what isn't there. */
function checkExtent(
  meta: ColumnMetaData,
  pagesEnd: number,
  place: { rowGroup: number; column: readonly string[] },
): void {
  const { start, length } = chunkExtent(meta);
  if (start < firstByte || !isInside(start, length, pagesEnd)) {
    throw parquetError(
      "invalid_parquet",
      `the chunk takes ${length} bytes at ${start}, outside of [${firstByte}, ${pagesEnd})`,
      place,
    );
  }
  if (meta.dataPageOffset >= start + length) {
    throw parquetError(
      "invalid_parquet",
      `the first data page at ${meta.dataPageOffset} lies outside of the chunk's ${length} bytes at ${start}`,
      place,
    );
  }
}

/**
 * Whether we wrote a file. Versions before 0.2 copied the paths of uploads along with their chunks, so that the inner
 * names of a list could differ from the schema's: of those a column is known by its place, as DuckDB and arrow-rs do.
 */
function isOurs({ createdBy }: FileMetaData): boolean {
  return createdBy?.startsWith("sediment version 0.1.") ?? false;
}

function samePath(one: readonly string[], other: readonly string[]): boolean {
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}

/** Bytes that two chunks share would let a small file claim a large one's rows. */
function checkDisjoint(table: ChunkTable, columns: number): void {
  const order = new Uint32Array(table.chunks);
  let count = 0, sorted = true, last = 0;
  for (let i = 0; i < table.chunks; i++) {
    // those of groups without rows need not be there
    if (table.rows(Math.floor(i / columns)) === 0) continue;
    sorted &&= last <= table.start(i);
    last = table.start(i);
    order[count++] = i;
  }
  const chunks = order.subarray(0, count);
  if (!sorted) chunks.sort((a, b) => table.start(a) - table.start(b));
  for (let i = 1; i < count; i++) {
    const before = table.start(chunks[i - 1]), start = table.start(chunks[i]);
    if (before + table.length(chunks[i - 1]) > start) {
      throw parquetError("invalid_parquet", `the column chunks at ${before} and ${start} overlap`);
    }
  }
}
