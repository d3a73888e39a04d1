import { readKeyValues, writeKeyValues } from "./key_values.ts";
import {
  type ColumnChunk,
  type ColumnMetaData,
  knownNumbers,
  type PageEncodingStats,
} from "./metadata.ts";
import { parquetError } from "./parquet_error.ts";
import {
  readSizeStatistics,
  readStatistics,
  writeSizeStatistics,
  writeStatistics,
} from "./statistics.ts";
import { fields, requireFields } from "./thrift/required_fields.ts";
import type { ThriftReader } from "./thrift/thrift_reader.ts";
import type { ThriftWriter } from "./thrift/thrift_writer.ts";
import { wire } from "./thrift/wire.ts";

/** More encodings, encoding stats or names in a path than this are refused: the format knows 10 encodings. */
const maxShortList = 256;

/** Fields that parquet.thrift requires: of ColumnChunk, ColumnMetaData, PageEncodingStats. */
const chunkFields = fields(2);
const metaFields = fields(1, 2, 3, 4, 5, 6, 7, 9);
const encodingStatsFields = fields(1, 2, 3);

/**
 * Reads the ColumnChunk struct.
 *
 * @param before the column's chunk in the row group before: lists that are equal are kept once
 */
export function readColumnChunk(reader: ThriftReader, before?: ColumnChunk): ColumnChunk {
  const chunk: ColumnChunk = {
    filePath: undefined,
    fileOffset: 0,
    metaData: undefined,
    offsetIndexOffset: undefined,
    offsetIndexLength: undefined,
    columnIndexOffset: undefined,
    columnIndexLength: undefined,
    encrypted: false,
  };
  const outer = reader.enterStruct();
  let seen = 0;
  for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
    seen = reader.note(seen);
    switch (reader.fieldId) {
      case 1:
        if (reader.is(type, wire.binary)) chunk.filePath = reader.string();
        break;
      case 2:
        chunk.fileOffset = reader.int64(type);
        break;
      case 3:
        if (reader.is(type, wire.struct)) {
          chunk.metaData = readColumnMetaData(reader, before?.metaData);
        }
        break;
      case 4:
        if (reader.is(type, wire.i64)) chunk.offsetIndexOffset = reader.i64();
        break;
      case 5:
        if (reader.is(type, wire.i32)) chunk.offsetIndexLength = reader.i32();
        break;
      case 6:
        if (reader.is(type, wire.i64)) chunk.columnIndexOffset = reader.i64();
        break;
      case 7:
        if (reader.is(type, wire.i32)) chunk.columnIndexLength = reader.i32();
        break;
      case 8:
      case 9:
        chunk.encrypted = true;
        reader.skip(type);
        break;
      default:
        reader.skip(type);
    }
  }
  reader.leaveStruct(outer);
  requireFields(seen, chunkFields, "the column chunk");
  return chunk;
}

/** Of lists that few entries are pushed to, V8 keeps room for 17: they are made as long as they are. */
const none: readonly never[] = Object.freeze([]);

/** The one of two equal lists that is kept already. */
function kept<T>(before: readonly T[] | undefined, list: readonly T[]): readonly T[] {
  if (before === undefined || before.length !== list.length) return list;
  for (let i = 0; i < list.length; i++) if (list[i] !== before[i]) return list;
  return before;
}

function readColumnMetaData(reader: ThriftReader, before?: ColumnMetaData): ColumnMetaData {
  const meta: ColumnMetaData = {
    type: -1,
    encodings: none,
    path: none,
    codec: -1,
    numValues: -1,
    totalUncompressedSize: -1,
    totalCompressedSize: -1,
    keyValues: undefined,
    dataPageOffset: -1,
    indexPageOffset: undefined,
    dictionaryPageOffset: undefined,
    statistics: undefined,
    encodingStats: undefined,
    bloomFilterOffset: undefined,
    bloomFilterLength: undefined,
    sizeStatistics: undefined,
    geospatialStatistics: undefined,
  };
  const outer = reader.enterStruct();
  let seen = 0;
  for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
    seen = reader.note(seen);
    switch (reader.fieldId) {
      case 1:
        meta.type = reader.enumeration(type, knownNumbers.physicalType);
        break;
      case 2: {
        const count = reader.list(type, wire.i32, maxShortList);
        const list = new Array<number>(count);
        for (let i = 0; i < count; i++) list[i] = reader.enumElement(knownNumbers.encoding);
        meta.encodings = kept(before?.encodings, list);
        break;
      }
      case 3: {
        const count = reader.list(type, wire.binary, maxShortList);
        const list = new Array<string>(count);
        for (let i = 0; i < count; i++) list[i] = reader.string();
        meta.path = kept(before?.path, list);
        break;
      }
      case 4:
        meta.codec = reader.enumeration(type, knownNumbers.codec);
        break;
      case 5:
        meta.numValues = reader.int64(type);
        break;
      case 6:
        meta.totalUncompressedSize = reader.int64(type);
        break;
      case 7:
        meta.totalCompressedSize = reader.int64(type);
        break;
      case 8:
        if (reader.is(type, wire.list)) meta.keyValues = readKeyValues(reader, type, maxShortList);
        break;
      case 9:
        meta.dataPageOffset = reader.int64(type);
        break;
      case 10:
        if (reader.is(type, wire.i64)) meta.indexPageOffset = reader.i64();
        break;
      case 11:
        if (reader.is(type, wire.i64)) meta.dictionaryPageOffset = reader.i64();
        break;
      case 12:
        if (reader.is(type, wire.struct)) meta.statistics = readStatistics(reader);
        break;
      case 13:
        if (reader.is(type, wire.list)) meta.encodingStats = readEncodingStats(reader, type);
        break;
      case 14:
        if (reader.is(type, wire.i64)) meta.bloomFilterOffset = reader.i64();
        break;
      case 15:
        if (reader.is(type, wire.i32)) meta.bloomFilterLength = reader.i32();
        break;
      case 16:
        if (reader.is(type, wire.struct)) meta.sizeStatistics = readSizeStatistics(reader);
        break;
      case 17: {
        const start = reader.position;
        reader.skip(type);
        if (type === wire.struct) {
          meta.geospatialStatistics = reader.bytes.subarray(start, reader.position);
        }
        break;
      }
      default:
        reader.skip(type);
    }
  }
  reader.leaveStruct(outer);
  requireFields(seen, metaFields, "the column's metadata");
  const least = Math.min(
    meta.numValues,
    meta.totalUncompressedSize,
    meta.totalCompressedSize,
    meta.dataPageOffset,
  );
  if (least < 0 || meta.path.length === 0) {
    throw parquetError(
      "invalid_parquet",
      "the column's metadata has an empty path or a negative size",
      { column: meta.path },
    );
  }
  return meta;
}

function readEncodingStats(reader: ThriftReader, listType: number) {
  const count = reader.structs(listType, maxShortList);
  const stats = new Array<PageEncodingStats>(count);
  for (let i = 0; i < count; i++) {
    const one = { pageType: -1, encoding: -1, count: 0 };
    const outer = reader.enterStruct();
    let seen = 0;
    for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
      seen = reader.note(seen);
      if (reader.fieldId === 1) one.pageType = reader.enumeration(type, knownNumbers.pageType);
      else if (reader.fieldId === 2) {
        one.encoding = reader.enumeration(type, knownNumbers.encoding);
      } else if (reader.fieldId === 3) one.count = reader.int32(type);
      else reader.skip(type);
    }
    reader.leaveStruct(outer);
    requireFields(seen, encodingStatsFields, "the encoding statistics");
    stats[i] = one;
  }
  return stats;
}

/** Writes a ColumnChunk as a list element. */
export function writeColumnChunk(writer: ThriftWriter, chunk: ColumnChunk): void {
  writer.begin();
  writer.bytes(1, chunk.filePath);
  writer.i64(2, chunk.fileOffset);
  if (chunk.metaData !== undefined) writeColumnMetaData(writer, chunk.metaData);
  writer.i64(4, chunk.offsetIndexOffset);
  writer.i32(5, chunk.offsetIndexLength);
  writer.i64(6, chunk.columnIndexOffset);
  writer.i32(7, chunk.columnIndexLength);
  writer.end();
}

function writeColumnMetaData(writer: ThriftWriter, meta: ColumnMetaData): void {
  writer.begin(3);
  writer.i32(1, meta.type);
  writer.list(2, wire.i32, meta.encodings.length);
  for (const one of meta.encodings) writer.zigzag(one);
  writer.list(3, wire.binary, meta.path.length);
  for (const name of meta.path) writer.bytesElement(name);
  writer.i32(4, meta.codec);
  writer.i64(5, meta.numValues);
  writer.i64(6, meta.totalUncompressedSize);
  writer.i64(7, meta.totalCompressedSize);
  if (meta.keyValues !== undefined) writeKeyValues(writer, 8, meta.keyValues);
  writer.i64(9, meta.dataPageOffset);
  writer.i64(10, meta.indexPageOffset);
  writer.i64(11, meta.dictionaryPageOffset);
  if (meta.statistics !== undefined) writeStatistics(writer, 12, meta.statistics);
  if (meta.encodingStats !== undefined) {
    writer.list(13, wire.struct, meta.encodingStats.length);
    for (const one of meta.encodingStats) {
      writer.begin();
      writer.i32(1, one.pageType);
      writer.i32(2, one.encoding);
      writer.i32(3, one.count);
      writer.end();
    }
  }
  writer.i64(14, meta.bloomFilterOffset);
  writer.i32(15, meta.bloomFilterLength);
  if (meta.sizeStatistics !== undefined) writeSizeStatistics(writer, 16, meta.sizeStatistics);
  if (meta.geospatialStatistics !== undefined) writer.rawStruct(17, meta.geospatialStatistics);
  writer.end();
}
