import type { ColumnChunk, ColumnMetaData } from "./metadata.ts";

/** What a chunk may have and need not. */
type Extras =
  | "keyValues"
  | "indexPageOffset"
  | "bloomFilterOffset"
  | "bloomFilterLength"
  | "sizeStatistics"
  | "geospatialStatistics";

/** A chunk in the file of its footer, without indexes and extras: those that `meta` brings are left out. */
export function blankChunk(meta: Omit<ColumnMetaData, Extras>): ColumnChunk {
  return {
    filePath: undefined,
    fileOffset: 0,
    metaData: {
      ...meta,
      keyValues: undefined,
      indexPageOffset: undefined,
      bloomFilterOffset: undefined,
      bloomFilterLength: undefined,
      sizeStatistics: undefined,
      geospatialStatistics: undefined,
    },
    offsetIndexOffset: undefined,
    offsetIndexLength: undefined,
    columnIndexOffset: undefined,
    columnIndexLength: undefined,
    encrypted: false,
  };
}
