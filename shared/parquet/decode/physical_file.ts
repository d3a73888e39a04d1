/**
 * Parquet files for the decoder, of physical types only. Arrow loses annotations (UUID, JSON, unsigned, time
 * zones of old writers) and refuses some schemas, so it is shown none: integers are integers, texts and
 * decimals are bytes, lists and maps are plain repeated groups. Levels and values come out as they went in, and
 * the schema is put back on what it writes.
 */
import { footerBytes } from "../footer.ts";
import {
  type ColumnChunk,
  type ColumnMetaData,
  type FileMetaData,
  physicalType,
  type RowGroup,
  type SchemaElement,
} from "../metadata.ts";
import type { SchemaNode, SchemaTree } from "../schema.ts";

/** A row group with its chunks' bytes, in column order. */
export interface LoadedGroup {
  numRows: number;
  chunks: { meta: ColumnMetaData; bytes: Uint8Array }[];
}

/** Whole file of several row groups, from anywhere, under one physical schema; offsets are rebased. */
export function physicalFile(tree: SchemaTree, groups: readonly LoadedGroup[]): Uint8Array {
  const schema: SchemaElement[] = [];
  physicalElements(tree.root, schema);
  const paths = tree.leaves.map((leaf) => physicalPath(leaf));
  const rowGroups: RowGroup[] = [];
  let position = 4;
  for (const group of groups) {
    const columns: ColumnChunk[] = group.chunks.map(({ meta, bytes }, column) => {
      const chunk = placedChunk(meta, paths[column], tree.leaves[column], position, bytes.length);
      position += bytes.length;
      return chunk;
    });
    rowGroups.push({
      columns,
      totalByteSize: columns.reduce((sum, one) => sum + one.metaData!.totalUncompressedSize, 0),
      numRows: group.numRows,
      sortingColumns: undefined,
      fileOffset: undefined,
      totalCompressedSize: undefined,
      ordinal: undefined,
    });
  }
  const metadata: FileMetaData = {
    version: 1,
    schema,
    numRows: groups.reduce((sum, group) => sum + group.numRows, 0),
    rowGroups,
    keyValues: undefined,
    createdBy: undefined,
    columnOrders: undefined,
    encrypted: false,
  };
  const footer = footerBytes(metadata);
  const file = new Uint8Array(position + footer.length);
  file.set([0x50, 0x41, 0x52, 0x31]);
  let at = 4;
  for (const group of groups) {
    for (const { bytes } of group.chunks) {
      file.set(bytes, at);
      at += bytes.length;
    }
  }
  file.set(footer, at);
  return file;
}

/** Names by position: real ones may repeat what Arrow gives a meaning to. */
function physicalName(node: SchemaNode): string {
  return `n${node.parent === undefined ? 0 : node.parent.children.indexOf(node)}`;
}

function physicalPath(leaf: SchemaNode): string[] {
  const path = [];
  for (let node = leaf; node.parent !== undefined; node = node.parent) {
    path.push(physicalName(node));
  }
  return path.reverse();
}

/** INT96 is 12 bytes in PLAIN and in dictionaries, its only encodings; Arrow would make a timestamp of it. */
function physicalElement(node: SchemaNode): SchemaElement {
  const { type, typeLength, numChildren, repetition } = node.element;
  const isInt96 = type === physicalType.INT96;
  return {
    type: isInt96 ? physicalType.FIXED_LEN_BYTE_ARRAY : type,
    typeLength: isInt96 ? 12 : type === physicalType.FIXED_LEN_BYTE_ARRAY ? typeLength : undefined,
    repetition: node.parent === undefined ? undefined : repetition,
    name: physicalName(node),
    numChildren: type === undefined ? numChildren : undefined,
    convertedType: undefined,
    scale: undefined,
    precision: undefined,
    fieldId: undefined,
    logicalType: undefined,
  };
}

function physicalElements(node: SchemaNode, elements: SchemaElement[]): void {
  elements.push(physicalElement(node));
  for (const child of node.children) physicalElements(child, elements);
}

function placedChunk(
  meta: ColumnMetaData,
  path: string[],
  leaf: SchemaNode,
  start: number,
  length: number,
): ColumnChunk {
  const dictionary = meta.dictionaryPageOffset;
  const hasDictionary = dictionary !== undefined && dictionary > 0 &&
    dictionary < meta.dataPageOffset;
  const oldStart = hasDictionary ? dictionary : meta.dataPageOffset;
  return {
    filePath: undefined,
    fileOffset: 0,
    metaData: {
      type: leaf.element.type === physicalType.INT96
        ? physicalType.FIXED_LEN_BYTE_ARRAY
        : meta.type,
      encodings: meta.encodings,
      path,
      codec: meta.codec,
      numValues: meta.numValues,
      totalUncompressedSize: meta.totalUncompressedSize,
      totalCompressedSize: length,
      keyValues: undefined,
      dataPageOffset: start + meta.dataPageOffset - oldStart,
      indexPageOffset: undefined,
      dictionaryPageOffset: hasDictionary ? start : undefined,
      statistics: undefined,
      encodingStats: undefined,
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
