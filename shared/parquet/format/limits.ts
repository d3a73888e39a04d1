/**
 * What a Parquet file may declare before we refuse it. Sizes are checked against these before anything is
 * allocated: a 75 KB file that declared a page of 2^30 bytes grew a wasm memory to 1.08 GB for good.
 */
export interface ParquetLimits {
  /** Largest footer in bytes. @default 16 MiB */
  footerBytes: number;
  /** Most elements of the schema's flat list. @default 10,000 */
  schemaElements: number;
  /** Deepest nesting of the schema, the root not counted. @default 64 */
  schemaDepth: number;
  /** Longest name of a schema element in UTF-8 bytes. @default 4,096 */
  nameBytes: number;
  /** Most row groups. @default 32,768 (the format's ordinal is an i16) */
  rowGroups: number;
  /**
   * Most column chunks of all row groups together: read, the metadata of one takes 0.4 KB, and up to 1 KB with all that it
   * may say, so that the default stays within 64 MB. @default 65,536
   */
  columnChunks: number;
  /** Largest page, compressed or not, in bytes. @default 64 MiB */
  pageBytes: number;
  /** Most values in one page, nulls counted. @default 16,777,216 */
  pageValues: number;
  /** Most pages in one column chunk. @default 1,000,000 */
  chunkPages: number;
  /** Most rows in one row group. @default 2^31 - 1 */
  rowGroupRows: number;
  /**
   * Most values of all chunks together, nulls counted. Run lengths make 200 million nulls out of 127 bytes, so
   * values bound the work where bytes don't. @default 2^30
   */
  fileValues: number;
  /** Most key-value pairs of the file. @default 10,000 */
  keyValues: number;
}

/** The limits that hold where nothing else is said. */
export const defaultLimits: Readonly<ParquetLimits> = Object.freeze({
  footerBytes: 16 * 1024 * 1024,
  schemaElements: 10_000,
  schemaDepth: 64,
  nameBytes: 4_096,
  rowGroups: 32_768,
  columnChunks: 65_536,
  pageBytes: 64 * 1024 * 1024,
  pageValues: 16 * 1024 * 1024,
  chunkPages: 1_000_000,
  rowGroupRows: 2 ** 31 - 1,
  fileValues: 2 ** 30,
  keyValues: 10_000,
});

/** The default limits with some replaced. */
export function limitsWith(some?: Partial<ParquetLimits>): Readonly<ParquetLimits> {
  return some === undefined ? defaultLimits : { ...defaultLimits, ...some };
}
