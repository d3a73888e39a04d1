/**
 * The shapes of Parquet's file metadata and the numbers of its enums.
 * Source: apache/parquet-format src/main/thrift/parquet.thrift (2.12). Numbers are kept as numbers: they are
 * compared millions of times, and unknown ones must survive until they are refused with a reason.
 */

import type { KnownNumbers } from "./thrift/thrift_reader.ts";

/** Physical types. */
export const physicalType = {
  BOOLEAN: 0,
  INT32: 1,
  INT64: 2,
  INT96: 3,
  FLOAT: 4,
  DOUBLE: 5,
  BYTE_ARRAY: 6,
  FIXED_LEN_BYTE_ARRAY: 7,
} as const;

/** Repetition of a schema element. */
export const repetition = { REQUIRED: 0, OPTIONAL: 1, REPEATED: 2 } as const;

/** Encodings of values and levels. */
export const encoding = {
  PLAIN: 0,
  PLAIN_DICTIONARY: 2,
  RLE: 3,
  BIT_PACKED: 4,
  DELTA_BINARY_PACKED: 5,
  DELTA_LENGTH_BYTE_ARRAY: 6,
  DELTA_BYTE_ARRAY: 7,
  RLE_DICTIONARY: 8,
  BYTE_STREAM_SPLIT: 9,
} as const;

/** Compression codecs. LZ4 (5) is the Hadoop framing, deprecated. */
export const codec = {
  UNCOMPRESSED: 0,
  SNAPPY: 1,
  GZIP: 2,
  LZO: 3,
  BROTLI: 4,
  LZ4: 5,
  ZSTD: 6,
  LZ4_RAW: 7,
} as const;

/** Page types. */
export const pageType = {
  DATA_PAGE: 0,
  INDEX_PAGE: 1,
  DICTIONARY_PAGE: 2,
  DATA_PAGE_V2: 3,
} as const;

/** ConvertedType, the older annotation. */
export const convertedType = {
  UTF8: 0,
  MAP: 1,
  MAP_KEY_VALUE: 2,
  LIST: 3,
  ENUM: 4,
  DECIMAL: 5,
  DATE: 6,
  TIME_MILLIS: 7,
  TIME_MICROS: 8,
  TIMESTAMP_MILLIS: 9,
  TIMESTAMP_MICROS: 10,
  UINT_8: 11,
  UINT_16: 12,
  UINT_32: 13,
  UINT_64: 14,
  INT_8: 15,
  INT_16: 16,
  INT_32: 17,
  INT_64: 18,
  JSON: 19,
  BSON: 20,
  INTERVAL: 21,
} as const;

function known(name: string, values: Record<string, number>): KnownNumbers {
  return { name, bits: Object.values(values).reduce((bits, value) => bits | (1 << value), 0) };
}

/** The numbers of each enum, for readers of the metadata. */
export const knownNumbers = {
  physicalType: known("physical type", physicalType),
  repetition: known("repetition", repetition),
  encoding: known("encoding", encoding),
  codec: known("codec", codec),
  pageType: known("page type", pageType),
  convertedType: known("converted type", convertedType),
  boundaryOrder: known("order of bounds", { UNORDERED: 0, ASCENDING: 1, DESCENDING: 2 }),
  edges: known("interpolation of edges", {
    SPHERICAL: 0,
    VINCENTY: 1,
    THOMAS: 2,
    ANDOYER: 3,
    KARNEY: 4,
  }),
} as const;

/** The name of an enum's number, or the number itself. */
export function enumName(values: Record<string, number>, value: number): string {
  return Object.keys(values).find((name) => values[name] === value) ?? String(value);
}

export type TimeUnit = "MILLIS" | "MICROS" | "NANOS";

/** LogicalType, the annotation that wins over ConvertedType. */
export type LogicalType =
  | {
    kind:
      | "STRING"
      | "MAP"
      | "LIST"
      | "ENUM"
      | "DATE"
      | "UNKNOWN"
      | "JSON"
      | "BSON"
      | "UUID"
      | "FLOAT16";
  }
  | { kind: "DECIMAL"; scale: number; precision: number }
  | { kind: "TIME" | "TIMESTAMP"; utc: boolean; unit: TimeUnit }
  | { kind: "INTEGER"; bitWidth: number; signed: boolean }
  | { kind: "VARIANT"; version?: number }
  | { kind: "GEOMETRY"; crs?: string }
  | { kind: "GEOGRAPHY"; crs?: string; algorithm?: number }
  /** A member of the union that this code does not know, by its field id, with the member's bytes in hex. */
  | { kind: "OTHER"; id: number; member: string };

/** One element of the flat schema, in depth-first order. */
export interface SchemaElement {
  /** Physical type; undefined for groups. */
  type: number | undefined;
  /** Bytes of a FIXED_LEN_BYTE_ARRAY. */
  typeLength: number | undefined;
  /** Undefined at the root only. */
  repetition: number | undefined;
  name: string;
  /** Undefined or 0 for leaves. */
  numChildren: number | undefined;
  convertedType: number | undefined;
  scale: number | undefined;
  precision: number | undefined;
  fieldId: number | undefined;
  logicalType: LogicalType | undefined;
}

/** Statistics of a chunk or page; values in PLAIN encoding without lengths. */
export interface Statistics {
  /** Deprecated `max` and `min`: signed byte order whatever the type. */
  max: Uint8Array | undefined;
  min: Uint8Array | undefined;
  nullCount: number | undefined;
  distinctCount: number | undefined;
  maxValue: Uint8Array | undefined;
  minValue: Uint8Array | undefined;
  isMaxExact: boolean | undefined;
  isMinExact: boolean | undefined;
}

export interface KeyValue {
  key: string;
  value: string | undefined;
}

export interface PageEncodingStats {
  pageType: number;
  encoding: number;
  count: number;
}

export interface SizeStatistics {
  unencodedByteArrayDataBytes: number | undefined;
  repetitionLevelHistogram: number[] | undefined;
  definitionLevelHistogram: number[] | undefined;
}

/** A leaf's values in one row group. Offsets are bytes from the file's start. */
export interface ColumnMetaData {
  type: number;
  encodings: readonly number[];
  path: readonly string[];
  codec: number;
  /** Values, nulls and empty lists counted: the number of definition levels. */
  numValues: number;
  /** With page headers. */
  totalUncompressedSize: number;
  /** With page headers. */
  totalCompressedSize: number;
  keyValues: KeyValue[] | undefined;
  dataPageOffset: number;
  indexPageOffset: number | undefined;
  dictionaryPageOffset: number | undefined;
  statistics: Statistics | undefined;
  encodingStats: PageEncodingStats[] | undefined;
  bloomFilterOffset: number | undefined;
  bloomFilterLength: number | undefined;
  sizeStatistics: SizeStatistics | undefined;
  /** GeospatialStatistics as the struct's bytes, carried but not read. */
  geospatialStatistics: Uint8Array | undefined;
}

export interface ColumnChunk {
  /** Set when the data is in another file, which we refuse. */
  filePath: string | undefined;
  fileOffset: number;
  /** Undefined only where the column is encrypted. */
  metaData: ColumnMetaData | undefined;
  offsetIndexOffset: number | undefined;
  offsetIndexLength: number | undefined;
  columnIndexOffset: number | undefined;
  columnIndexLength: number | undefined;
  /** Whether the chunk carries crypto metadata. */
  encrypted: boolean;
}

export interface SortingColumn {
  columnIndex: number;
  descending: boolean;
  nullsFirst: boolean;
}

export interface RowGroup {
  columns: ColumnChunk[];
  totalByteSize: number;
  numRows: number;
  sortingColumns: SortingColumn[] | undefined;
  fileOffset: number | undefined;
  totalCompressedSize: number | undefined;
  ordinal: number | undefined;
}

/** Column order by the id in the union: 1 is TYPE_ORDER, 2 IEEE 754 total order, others unknown. */
export type ColumnOrder = number;
export const typeOrder: ColumnOrder = 1;

/** The whole footer. */
export interface FileMetaData {
  version: number;
  schema: SchemaElement[];
  numRows: number;
  rowGroups: RowGroup[];
  keyValues: KeyValue[] | undefined;
  createdBy: string | undefined;
  columnOrders: ColumnOrder[] | undefined;
  /** Whether the footer names an encryption algorithm. */
  encrypted: boolean;
}
