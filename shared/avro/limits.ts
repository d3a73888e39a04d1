/**
 * What an Avro file may ask of us before it is refused. All sizes are checked before memory is given out,
 * so that a few hundred hostile bytes cannot fill an isolate of 256 MB.
 */
export interface AvroLimits {
  /** Longest schema text in bytes. @default 1 MiB */
  schemaBytes: number;
  /** Most types of the schema once every reference to a named type is written out. @default 3,000 */
  schemaNodes: number;
  /** Deepest nesting of types: a record field of a root record has depth 2. @default 30 */
  schemaDepth: number;
  /**
   * Most arrays and maps inside of one another: DuckDB's time doubles with each (measured: 16 take 0.1 s, 20
   * 0.7 s, 28 take 133 s, whatever is in them). @default 16
   */
  listDepth: number;
  /** Most entries of the file's metadata. @default 1,000 */
  metadataEntries: number;
  /** Largest block once it is decompressed. @default 16 MiB */
  blockBytes: number;
  /** Bytes of all blocks once they are decompressed. @default 64 MiB */
  decodedBytes: number;
  /** Most values of all columns together, nulls and empty lists counted. @default 25,165,824 */
  values: number;
  /** Column memory at which a row group is written. @default 16 MiB */
  rowGroupBytes: number;
  /** Column memory that one row group, its last row included, may take. @default 64 MiB */
  columnBytes: number;
}

/** The limits that hold where nothing else is said: made for uploads of 8 MiB in 256 MB and 2 s of CPU. */
export const defaultAvroLimits: Readonly<AvroLimits> = Object.freeze({
  schemaBytes: 1024 * 1024,
  schemaNodes: 3_000,
  schemaDepth: 30,
  listDepth: 16,
  metadataEntries: 1_000,
  blockBytes: 16 * 1024 * 1024,
  decodedBytes: 64 * 1024 * 1024,
  values: 24 * 1024 * 1024,
  rowGroupBytes: 16 * 1024 * 1024,
  columnBytes: 64 * 1024 * 1024,
});

/** The default limits with some replaced. */
export function avroLimitsWith(some?: Partial<AvroLimits>): Readonly<AvroLimits> {
  return some === undefined ? defaultAvroLimits : { ...defaultAvroLimits, ...some };
}
