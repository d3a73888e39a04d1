import {
  readColumnChunk,
  readKeyValues,
  writeColumnChunk,
  writeKeyValues,
} from "./column_chunk.ts";
import { defaultLimits, type ParquetLimits } from "./limits.ts";
import { readLogicalType, writeLogicalType } from "./logical_type.ts";
import {
  type ColumnOrder,
  type FileMetaData,
  knownNumbers,
  type RowGroup,
  type SchemaElement,
  type SortingColumn,
} from "./metadata.ts";
import { atPlace, parquetError } from "./parquet_error.ts";
import type { RangeReader } from "./range_reader.ts";
import { fields, requireFields } from "./thrift/required_fields.ts";
import { ThriftReader } from "./thrift/thrift_reader.ts";
import { ThriftWriter } from "./thrift/thrift_writer.ts";
import { wire } from "./thrift/wire.ts";

/** A footer and where it lies. */
export interface Footer {
  metadata: FileMetaData;
  /** Offset of its first byte: pages lie in [4, start). */
  start: number;
  /** Bytes of the metadata, the 8 closing bytes not counted. */
  length: number;
}

/** "PAR1" before and after the file, "PARE" where the footer is encrypted. */
const magic = 0x31524150;
const encryptedMagic = 0x45524150;

/** Fields that parquet.thrift requires: of FileMetaData, SchemaElement, RowGroup, SortingColumn. */
const fileFields = fields(1, 2, 3, 4);
const elementFields = fields(4);
const groupFields = fields(1, 2, 3);
const sortingFields = fields(1, 2, 3);

/** Read at the end of a file before the footer's length is known; holds the footers of most fragments. */
const tailGuess = 64 * 1024;

function uint32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

/**
 * The footer's length from a file's last 8 bytes (spec: 4 bytes length, little-endian, then the magic).
 * Throws `not_parquet`, `unsupported_parquet` (encrypted) or `invalid_parquet` (length out of bounds).
 * @param fileSize the whole file's bytes
 */
export function footerLength(
  lastEight: Uint8Array,
  fileSize: number,
  limits: Readonly<ParquetLimits> = defaultLimits,
): number {
  const end = lastEight.length;
  const found = end < 8 ? 0 : uint32(lastEight, end - 4);
  if (found === encryptedMagic) {
    throw parquetError("unsupported_parquet", "the footer is encrypted (PARE)", {}, {
      expected: "a Parquet file without encryption",
    });
  }
  if (found !== magic || fileSize < 12) {
    throw parquetError("not_parquet", `the ${fileSize} bytes do not end with PAR1`, {}, {
      expected: "PAR1 as the first and last four bytes",
    });
  }
  const length = uint32(lastEight, end - 8);
  if (length === 0 || length > fileSize - 12) {
    throw parquetError(
      "invalid_parquet",
      `the footer declares ${length} bytes, and the file has ${fileSize}`,
    );
  }
  if (length > limits.footerBytes) {
    throw parquetError(
      "invalid_parquet",
      `the footer declares ${length} bytes, over the ${limits.footerBytes} allowed`,
    );
  }
  return length;
}

function checkHead(head: Uint8Array): void {
  if (head.length >= 4 && uint32(head, 0) !== magic) {
    throw parquetError("not_parquet", "the bytes do not begin with PAR1", {}, {
      expected: "PAR1 as the first and last four bytes",
    });
  }
}

/** A file that begins as Parquet and does not end as such was cut off on its way. */
function checkTail(head: Uint8Array, lastEight: Uint8Array, fileSize: number): void {
  const end = lastEight.length;
  const last = end < 4 ? 0 : uint32(lastEight, end - 4);
  if (head.length < 4 || uint32(head, 0) !== magic) return;
  if (last === magic || last === encryptedMagic) return;
  throw parquetError(
    "invalid_parquet",
    `the file begins with PAR1 and is cut off at byte ${fileSize}`,
    {},
    {
      expected: "PAR1 as the first and last four bytes",
    },
  );
}

/** Reads the footer of a file in memory. Errors as {@link footerLength} and {@link parseFooter}. */
export function footerOfBytes(
  bytes: Uint8Array,
  limits: Readonly<ParquetLimits> = defaultLimits,
): Footer {
  const lastEight = bytes.subarray(Math.max(0, bytes.length - 8));
  checkTail(bytes, lastEight, bytes.length);
  const length = footerLength(lastEight, bytes.length, limits);
  checkHead(bytes);
  const start = bytes.length - 8 - length;
  return { metadata: parseFooter(bytes.subarray(start, start + length), limits), start, length };
}

/**
 * Reads the footer of a file by one range read, or two when it is over 64 KiB. The head's magic is checked
 * only when the file is that small; readers of pages see it anyway.
 */
export async function readFooter(
  reader: RangeReader,
  limits: Readonly<ParquetLimits> = defaultLimits,
  signal?: AbortSignal,
): Promise<Footer> {
  const tailLength = Math.min(reader.size, tailGuess);
  let tail = await reader.read(reader.size - tailLength, tailLength, signal);
  const length = footerLength(tail.subarray(Math.max(0, tail.length - 8)), reader.size, limits);
  if (tailLength === reader.size) checkHead(tail);
  const start = reader.size - 8 - length;
  if (length + 8 > tailLength) tail = await reader.read(start, length, signal);
  else tail = tail.subarray(tailLength - 8 - length, tailLength - 8);
  return { metadata: parseFooter(tail, limits), start, length };
}

/**
 * Parses FileMetaData. Only its form is checked here; whether it can be true of a file is for `inspect.ts`.
 * Throws `invalid_parquet`.
 */
export function parseFooter(
  bytes: Uint8Array,
  limits: Readonly<ParquetLimits> = defaultLimits,
): FileMetaData {
  const reader = new ThriftReader(bytes);
  const metadata: FileMetaData = {
    version: 0,
    schema: [],
    numRows: -1,
    rowGroups: [],
    keyValues: undefined,
    createdBy: undefined,
    columnOrders: undefined,
    encrypted: false,
  };
  const outer = reader.enterStruct();
  let seen = 0;
  for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
    seen = reader.note(seen);
    switch (reader.fieldId) {
      case 1:
        metadata.version = reader.int32(type);
        break;
      case 2:
        metadata.schema = readSchema(reader, type, limits);
        break;
      case 3:
        metadata.numRows = reader.int64(type);
        break;
      case 4:
        metadata.rowGroups = readRowGroups(reader, type, limits);
        break;
      case 5:
        metadata.keyValues = readKeyValues(reader, type, limits.keyValues);
        break;
      case 6:
        metadata.createdBy = reader.string(type);
        break;
      case 7:
        metadata.columnOrders = readColumnOrders(reader, type, limits);
        break;
      case 8:
        metadata.encrypted = true;
        reader.skip(type);
        break;
      default:
        reader.skip(type);
    }
  }
  reader.leaveStruct(outer);
  requireFields(seen, fileFields, "the footer");
  if (metadata.schema.length === 0 || metadata.numRows < 0) {
    throw parquetError("invalid_parquet", "the footer has no schema or no count of rows");
  }
  return metadata;
}

function readSchema(reader: ThriftReader, listType: number, limits: Readonly<ParquetLimits>) {
  const count = reader.list(listType, wire.struct, limits.schemaElements);
  const elements: SchemaElement[] = [];
  for (let i = 0; i < count; i++) elements.push(readSchemaElement(reader, limits));
  return elements;
}

function readSchemaElement(reader: ThriftReader, limits: Readonly<ParquetLimits>): SchemaElement {
  const element: SchemaElement = {
    type: undefined,
    typeLength: undefined,
    repetition: undefined,
    name: "",
    numChildren: undefined,
    convertedType: undefined,
    scale: undefined,
    precision: undefined,
    fieldId: undefined,
    logicalType: undefined,
  };
  const outer = reader.enterStruct();
  let seen = 0;
  for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
    seen = reader.note(seen);
    switch (reader.fieldId) {
      case 1:
        element.type = reader.enumeration(type, knownNumbers.physicalType);
        break;
      case 2:
        element.typeLength = reader.int32(type);
        break;
      case 3:
        element.repetition = reader.enumeration(type, knownNumbers.repetition);
        break;
      case 4:
        element.name = reader.string(type, limits.nameBytes);
        break;
      case 5:
        element.numChildren = reader.int32(type);
        break;
      case 6:
        element.convertedType = reader.enumeration(type, knownNumbers.convertedType);
        break;
      case 7:
        element.scale = reader.int32(type);
        break;
      case 8:
        element.precision = reader.int32(type);
        break;
      case 9:
        element.fieldId = reader.int32(type);
        break;
      case 10:
        reader.expect(type, wire.struct);
        element.logicalType = readLogicalType(reader);
        break;
      default:
        reader.skip(type);
    }
  }
  reader.leaveStruct(outer);
  requireFields(seen, elementFields, "an element of the schema");
  return element;
}

function readRowGroups(
  reader: ThriftReader,
  listType: number,
  limits: Readonly<ParquetLimits>,
): RowGroup[] {
  const count = reader.list(listType, wire.struct, limits.rowGroups);
  const groups: RowGroup[] = [];
  let chunksLeft = limits.columnChunks;
  for (let i = 0; i < count; i++) {
    let group;
    try {
      group = readRowGroup(reader, chunksLeft);
    } catch (error) {
      throw atPlace(error, { rowGroup: i });
    }
    chunksLeft -= group.columns.length;
    groups.push(group);
  }
  return groups;
}

function readRowGroup(reader: ThriftReader, maxChunks: number): RowGroup {
  const group: RowGroup = {
    columns: [],
    totalByteSize: -1,
    numRows: -1,
    sortingColumns: undefined,
    fileOffset: undefined,
    totalCompressedSize: undefined,
    ordinal: undefined,
  };
  const outer = reader.enterStruct();
  let seen = 0;
  for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
    seen = reader.note(seen);
    switch (reader.fieldId) {
      case 1: {
        const count = reader.list(type, wire.struct, maxChunks);
        for (let i = 0; i < count; i++) group.columns.push(readColumnChunk(reader));
        break;
      }
      case 2:
        group.totalByteSize = reader.int64(type);
        break;
      case 3:
        group.numRows = reader.int64(type);
        break;
      case 4:
        group.sortingColumns = readSortingColumns(reader, type);
        break;
      case 5:
        group.fileOffset = reader.int64(type);
        break;
      case 6:
        group.totalCompressedSize = reader.int64(type);
        break;
      case 7:
        group.ordinal = reader.int16(type);
        break;
      default:
        reader.skip(type);
    }
  }
  reader.leaveStruct(outer);
  requireFields(seen, groupFields, "the row group");
  if (group.numRows < 0) {
    throw parquetError("invalid_parquet", "the row group has no count of rows or a negative one");
  }
  return group;
}

function readSortingColumns(reader: ThriftReader, listType: number): SortingColumn[] {
  const count = reader.list(listType, wire.struct, 10_000);
  const columns: SortingColumn[] = [];
  for (let i = 0; i < count; i++) {
    const column = { columnIndex: -1, descending: false, nullsFirst: false };
    const outer = reader.enterStruct();
    let seen = 0;
    for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
      seen = reader.note(seen);
      if (reader.fieldId === 1) column.columnIndex = reader.int32(type);
      else if (reader.fieldId === 2) column.descending = reader.boolean(type);
      else if (reader.fieldId === 3) column.nullsFirst = reader.boolean(type);
      else reader.skip(type);
    }
    reader.leaveStruct(outer);
    requireFields(seen, sortingFields, "a sorting column");
    columns.push(column);
  }
  return columns;
}

function readColumnOrders(
  reader: ThriftReader,
  listType: number,
  limits: Readonly<ParquetLimits>,
): ColumnOrder[] {
  const count = reader.list(listType, wire.struct, limits.schemaElements);
  const orders: ColumnOrder[] = [];
  for (let i = 0; i < count; i++) {
    let order = 0;
    const outer = reader.enterStruct();
    for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
      order = reader.fieldId;
      reader.expect(type, wire.struct);
      reader.skip(type);
    }
    reader.leaveStruct(outer);
    orders.push(order);
  }
  return orders;
}

/**
 * The end of a file: FileMetaData, its length and the magic. What was read and is not in
 * {@link FileMetaData} (unknown fields, encryption) is not written.
 */
export function footerBytes(metadata: FileMetaData): Uint8Array {
  const writer = new ThriftWriter(4096);
  writer.i32(1, metadata.version);
  writer.list(2, wire.struct, metadata.schema.length);
  for (const element of metadata.schema) writeSchemaElement(writer, element);
  writer.i64(3, metadata.numRows);
  writer.list(4, wire.struct, metadata.rowGroups.length);
  for (const group of metadata.rowGroups) writeRowGroup(writer, group);
  if (metadata.keyValues !== undefined) writeKeyValues(writer, 5, metadata.keyValues);
  writer.bytes(6, metadata.createdBy);
  if (metadata.columnOrders !== undefined) {
    writer.list(7, wire.struct, metadata.columnOrders.length);
    for (const order of metadata.columnOrders) {
      writer.begin();
      if (order > 0) {
        writer.begin(order);
        writer.end();
      }
      writer.end();
    }
  }
  writer.end();
  const length = writer.length;
  const bytes = new Uint8Array(length + 8);
  bytes.set(writer.view());
  const view = new DataView(bytes.buffer);
  view.setUint32(length, length, true);
  view.setUint32(length + 4, magic, true);
  return bytes;
}

function writeSchemaElement(writer: ThriftWriter, element: SchemaElement): void {
  writer.begin();
  writer.i32(1, element.type);
  writer.i32(2, element.typeLength);
  writer.i32(3, element.repetition);
  writer.bytes(4, element.name);
  writer.i32(5, element.numChildren);
  writer.i32(6, element.convertedType);
  writer.i32(7, element.scale);
  writer.i32(8, element.precision);
  writer.i32(9, element.fieldId);
  if (element.logicalType !== undefined) writeLogicalType(writer, 10, element.logicalType);
  writer.end();
}

function writeRowGroup(writer: ThriftWriter, group: RowGroup): void {
  writer.begin();
  writer.list(1, wire.struct, group.columns.length);
  for (const chunk of group.columns) writeColumnChunk(writer, chunk);
  writer.i64(2, group.totalByteSize);
  writer.i64(3, group.numRows);
  if (group.sortingColumns !== undefined) {
    writer.list(4, wire.struct, group.sortingColumns.length);
    for (const column of group.sortingColumns) {
      writer.begin();
      writer.i32(1, column.columnIndex);
      writer.boolean(2, column.descending);
      writer.boolean(3, column.nullsFirst);
      writer.end();
    }
  }
  writer.i64(5, group.fileOffset);
  writer.i64(6, group.totalCompressedSize);
  writer.i16(7, group.ordinal);
  writer.end();
}
