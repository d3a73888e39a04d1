import type { SizeStatistics, Statistics } from "./metadata.ts";
import type { ThriftReader } from "./thrift/thrift_reader.ts";
import type { ThriftWriter } from "./thrift/thrift_writer.ts";
import { wire } from "./thrift/wire.ts";

/** Reads the Statistics struct. Values are views of the reader's bytes. */
export function readStatistics(reader: ThriftReader): Statistics {
  const statistics: Statistics = {
    max: undefined,
    min: undefined,
    nullCount: undefined,
    distinctCount: undefined,
    maxValue: undefined,
    minValue: undefined,
    isMaxExact: undefined,
    isMinExact: undefined,
  };
  const outer = reader.enterStruct();
  for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
    switch (reader.fieldId) {
      case 1:
        if (reader.is(type, wire.binary)) statistics.max = reader.binary();
        break;
      case 2:
        if (reader.is(type, wire.binary)) statistics.min = reader.binary();
        break;
      case 3:
        if (reader.is(type, wire.i64)) statistics.nullCount = reader.i64();
        break;
      case 4:
        if (reader.is(type, wire.i64)) statistics.distinctCount = reader.i64();
        break;
      case 5:
        if (reader.is(type, wire.binary)) statistics.maxValue = reader.binary();
        break;
      case 6:
        if (reader.is(type, wire.binary)) statistics.minValue = reader.binary();
        break;
      case 7:
        statistics.isMaxExact = reader.optionalBoolean(type);
        break;
      case 8:
        statistics.isMinExact = reader.optionalBoolean(type);
        break;
      default:
        reader.skip(type);
    }
  }
  reader.leaveStruct(outer);
  return statistics;
}

/** Writes Statistics as field `id` of the open struct. */
export function writeStatistics(writer: ThriftWriter, id: number, statistics: Statistics): void {
  writer.begin(id);
  writer.bytes(1, statistics.max);
  writer.bytes(2, statistics.min);
  writer.i64(3, statistics.nullCount);
  writer.i64(4, statistics.distinctCount);
  writer.bytes(5, statistics.maxValue);
  writer.bytes(6, statistics.minValue);
  writer.boolean(7, statistics.isMaxExact);
  writer.boolean(8, statistics.isMinExact);
  writer.end();
}

/** Reads a list of i64. */
export function readLongs(reader: ThriftReader, type: number, maxCount?: number): number[] {
  const count = reader.list(type, wire.i64, maxCount);
  const numbers: number[] = new Array(count);
  for (let i = 0; i < count; i++) numbers[i] = reader.i64();
  return numbers;
}

/** Writes a list of i64 as field `id`; nothing when undefined. */
export function writeLongs(writer: ThriftWriter, id: number, numbers: number[] | undefined): void {
  if (numbers === undefined) return;
  writer.list(id, wire.i64, numbers.length);
  for (const number of numbers) writer.zigzag(number);
}

/** Reads the SizeStatistics struct. */
export function readSizeStatistics(reader: ThriftReader): SizeStatistics {
  const sizes: SizeStatistics = {
    unencodedByteArrayDataBytes: undefined,
    repetitionLevelHistogram: undefined,
    definitionLevelHistogram: undefined,
  };
  const outer = reader.enterStruct();
  for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
    switch (reader.fieldId) {
      case 1:
        if (reader.is(type, wire.i64)) sizes.unencodedByteArrayDataBytes = reader.i64();
        break;
      case 2:
        if (reader.is(type, wire.list)) {
          sizes.repetitionLevelHistogram = readLongs(reader, type, 1024);
        }
        break;
      case 3:
        if (reader.is(type, wire.list)) {
          sizes.definitionLevelHistogram = readLongs(reader, type, 1024);
        }
        break;
      default:
        reader.skip(type);
    }
  }
  reader.leaveStruct(outer);
  return sizes;
}

/** Writes SizeStatistics as field `id` of the open struct. */
export function writeSizeStatistics(writer: ThriftWriter, id: number, sizes: SizeStatistics): void {
  writer.begin(id);
  writer.i64(1, sizes.unencodedByteArrayDataBytes);
  writeLongs(writer, 2, sizes.repetitionLevelHistogram);
  writeLongs(writer, 3, sizes.definitionLevelHistogram);
  writer.end();
}
