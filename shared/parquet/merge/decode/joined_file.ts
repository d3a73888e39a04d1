import { blankChunk } from "../../format/blank_chunk.ts";
import { chunkExtent } from "../../inspect/check_chunks.ts";
import { footerBytes } from "../../format/footer.ts";
import type { ColumnChunk, ColumnMetaData, FileMetaData, RowGroup } from "../../format/metadata.ts";

/** A row group with its chunks' bytes, in column order. Only the distances of a chunk's offsets count. */
export interface LoadedGroup {
  numRows: number;
  chunks: { meta: ColumnMetaData; bytes: Uint8Array }[];
}

/** A whole file of row groups from anywhere, one after the other, with offsets rebased and no indexes. */
export function joinGroups(
  groups: readonly LoadedGroup[],
  { schema, keyValues, columnOrders }: Pick<FileMetaData, "schema" | "keyValues" | "columnOrders">,
): Uint8Array {
  let position = 4;
  const rowGroups = groups.map(({ numRows, chunks }): RowGroup => {
    const columns = chunks.map(({ meta, bytes }) => {
      const chunk = placed(meta, position, bytes.length);
      position += bytes.length;
      return chunk;
    });
    return {
      columns,
      totalByteSize: columns.reduce((sum, one) => sum + one.metaData!.totalUncompressedSize, 0),
      numRows,
      sortingColumns: undefined,
      fileOffset: undefined,
      totalCompressedSize: undefined,
      ordinal: undefined,
    };
  });
  const footer = footerBytes({
    version: 2,
    schema,
    numRows: groups.reduce((sum, group) => sum + group.numRows, 0),
    rowGroups,
    createdBy: undefined,
    encrypted: false,
    keyValues,
    columnOrders,
  });
  const bytes = new Uint8Array(position + footer.length);
  bytes.set([0x50, 0x41, 0x52, 0x31]);
  let at = 4;
  for (const { chunks } of groups) {
    for (const chunk of chunks) {
      bytes.set(chunk.bytes, at);
      at += chunk.bytes.length;
    }
  }
  bytes.set(footer, at);
  return bytes;
}

function placed(meta: ColumnMetaData, start: number, length: number): ColumnChunk {
  const oldStart = chunkExtent(meta).start;
  const hasDictionary = oldStart < meta.dataPageOffset;
  return blankChunk({
    ...meta,
    totalCompressedSize: length,
    dataPageOffset: start + meta.dataPageOffset - oldStart,
    dictionaryPageOffset: hasDictionary ? start : undefined,
    statistics: undefined,
    encodingStats: undefined,
  });
}
