import { knownNumbers } from "./metadata.ts";
import { parquetError } from "./parquet_error.ts";
import { readLongs, writeLongs } from "./statistics.ts";
import { ThriftReader } from "./thrift/thrift_reader.ts";
import { ThriftWriter } from "./thrift/thrift_writer.ts";
import { wire } from "./thrift/wire.ts";

/** Where a data page lies. */
export interface PageLocation {
  /** Of the page's header, from the file's start. */
  offset: number;
  /** With the header. */
  compressedPageSize: number;
  /** Of the row group. */
  firstRowIndex: number;
}

/** A chunk's data pages (parquet.thrift OffsetIndex). */
export interface OffsetIndex {
  pages: PageLocation[];
  unencodedByteArrayDataBytes: number[] | undefined;
}

/** A chunk's page statistics (parquet.thrift ColumnIndex). */
export interface ColumnIndex {
  nullPages: boolean[];
  /** Empty where the page is all null. */
  minValues: Uint8Array[];
  maxValues: Uint8Array[];
  /** 0 unordered, 1 ascending, 2 descending. */
  boundaryOrder: number;
  nullCounts: number[] | undefined;
  repetitionLevelHistograms: number[] | undefined;
  definitionLevelHistograms: number[] | undefined;
}

/** Reads an OffsetIndex. Throws `invalid_parquet`. @param maxPages more pages are refused */
export function readOffsetIndex(bytes: Uint8Array, maxPages = 1_000_000): OffsetIndex {
  const reader = new ThriftReader(bytes);
  const index: OffsetIndex = { pages: [], unencodedByteArrayDataBytes: undefined };
  const outer = reader.enterStruct();
  for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
    if (reader.fieldId === 1) {
      const count = reader.list(type, wire.struct, maxPages);
      for (let i = 0; i < count; i++) index.pages.push(readPageLocation(reader));
    } else if (reader.fieldId === 2) {
      index.unencodedByteArrayDataBytes = readLongs(reader, type, maxPages);
    } else reader.skip(type);
  }
  reader.leaveStruct(outer);
  return index;
}

function readPageLocation(reader: ThriftReader): PageLocation {
  const page: PageLocation = { offset: -1, compressedPageSize: -1, firstRowIndex: -1 };
  const outer = reader.enterStruct();
  for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
    if (reader.fieldId === 1) page.offset = reader.int64(type);
    else if (reader.fieldId === 2) page.compressedPageSize = reader.int32(type);
    else if (reader.fieldId === 3) page.firstRowIndex = reader.int64(type);
    else reader.skip(type);
  }
  reader.leaveStruct(outer);
  if (page.offset < 0 || page.compressedPageSize < 0 || page.firstRowIndex < 0) {
    throw parquetError("invalid_parquet", "a page location of the offset index is incomplete");
  }
  return page;
}

/** Appends an OffsetIndex to `writer`. */
export function writeOffsetIndex(writer: ThriftWriter, index: OffsetIndex): void {
  writer.begin();
  writer.list(1, wire.struct, index.pages.length);
  for (const page of index.pages) {
    writer.begin();
    writer.i64(1, page.offset);
    writer.i32(2, page.compressedPageSize);
    writer.i64(3, page.firstRowIndex);
    writer.end();
  }
  writeLongs(writer, 2, index.unencodedByteArrayDataBytes);
  writer.end();
}

/** Reads a ColumnIndex; values are views. Throws `invalid_parquet`. */
export function readColumnIndex(bytes: Uint8Array, maxPages = 1_000_000): ColumnIndex {
  const reader = new ThriftReader(bytes);
  const index: ColumnIndex = {
    nullPages: [],
    minValues: [],
    maxValues: [],
    boundaryOrder: 0,
    nullCounts: undefined,
    repetitionLevelHistograms: undefined,
    definitionLevelHistograms: undefined,
  };
  const outer = reader.enterStruct();
  for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
    switch (reader.fieldId) {
      case 1: {
        const count = reader.list(type, wire.true, maxPages);
        for (let i = 0; i < count; i++) index.nullPages.push(reader.booleanElement());
        break;
      }
      case 2:
      case 3: {
        const values = reader.fieldId === 2 ? index.minValues : index.maxValues;
        const count = reader.list(type, wire.binary, maxPages);
        for (let i = 0; i < count; i++) values.push(reader.binary());
        break;
      }
      case 4:
        index.boundaryOrder = reader.enumeration(type, knownNumbers.boundaryOrder);
        break;
      case 5:
        index.nullCounts = readLongs(reader, type, maxPages);
        break;
      case 6:
        index.repetitionLevelHistograms = readLongs(reader, type);
        break;
      case 7:
        index.definitionLevelHistograms = readLongs(reader, type);
        break;
      default:
        reader.skip(type);
    }
  }
  reader.leaveStruct(outer);
  const pages = index.nullPages.length;
  if (index.minValues.length !== pages || index.maxValues.length !== pages) {
    throw parquetError("invalid_parquet", "the lists of a column index differ in length");
  }
  return index;
}

/** Appends a ColumnIndex to `writer`. */
export function writeColumnIndex(writer: ThriftWriter, index: ColumnIndex): void {
  writer.begin();
  writer.list(1, wire.true, index.nullPages.length);
  for (const isNull of index.nullPages) writer.booleanElement(isNull);
  writer.list(2, wire.binary, index.minValues.length);
  for (const value of index.minValues) writer.bytesElement(value);
  writer.list(3, wire.binary, index.maxValues.length);
  for (const value of index.maxValues) writer.bytesElement(value);
  writer.i32(4, index.boundaryOrder);
  writeLongs(writer, 5, index.nullCounts);
  writeLongs(writer, 6, index.repetitionLevelHistograms);
  writeLongs(writer, 7, index.definitionLevelHistograms);
  writer.end();
}
