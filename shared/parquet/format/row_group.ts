import { readColumnChunk, writeColumnChunk } from "./column_chunk.ts";
import type { ColumnChunk, RowGroup, SortingColumn } from "./metadata.ts";
import { parquetError } from "./parquet_error.ts";
import { chunksAtOnce, type Steps } from "./steps.ts";
import { fields, requireFields } from "./thrift/required_fields.ts";
import type { ThriftReader } from "./thrift/thrift_reader.ts";
import type { ThriftWriter } from "./thrift/thrift_writer.ts";
import { wire } from "./thrift/wire.ts";

/** Fields that parquet.thrift requires: of RowGroup, SortingColumn. */
const groupFields = fields(1, 2, 3);
const sortingFields = fields(1, 2, 3);

/**
 * Reads a row group, in steps. Throws `invalid_parquet`.
 * @param maxChunks refuses more column chunks
 * @param before the row group before, with whose chunks those of this one share what is equal
 */
export function* readRowGroup(
  reader: ThriftReader,
  maxChunks: number,
  before?: RowGroup,
): Steps<RowGroup> {
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
        const columns = group.columns = new Array<ColumnChunk>(count);
        for (let i = 0; i < count; i++) {
          if ((i + 1) % chunksAtOnce === 0) yield;
          columns[i] = readColumnChunk(reader, before?.columns[i]);
        }
        break;
      }
      case 2:
        group.totalByteSize = reader.int64(type);
        break;
      case 3:
        group.numRows = reader.int64(type);
        break;
      case 4:
        if (reader.is(type, wire.list)) group.sortingColumns = readSortingColumns(reader, type);
        break;
      case 5:
        if (reader.is(type, wire.i64)) group.fileOffset = reader.i64();
        break;
      case 6:
        if (reader.is(type, wire.i64)) group.totalCompressedSize = reader.i64();
        break;
      case 7:
        if (reader.is(type, wire.i16)) group.ordinal = reader.int16(type);
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
  const count = reader.structs(listType, 10_000);
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

/** Writes a row group as a list element. */
export function writeRowGroup(writer: ThriftWriter, group: RowGroup): void {
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
