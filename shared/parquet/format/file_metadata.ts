import { readKeyValues, writeKeyValues } from "./key_values.ts";
import { defaultLimits, type ParquetLimits } from "./limits.ts";
import type { ColumnOrder, FileMetaData, RowGroup, SchemaElement } from "./metadata.ts";
import { atPlace, parquetError } from "./parquet_error.ts";
import { readRowGroup, writeRowGroup } from "./row_group.ts";
import { allAtOnce, type Steps } from "./steps.ts";
import { readSchemaElement, writeSchemaElement } from "./schema_element.ts";
import { fields, requireFields } from "./thrift/required_fields.ts";
import { ThriftReader } from "./thrift/thrift_reader.ts";
import type { ThriftWriter } from "./thrift/thrift_writer.ts";
import { wire } from "./thrift/wire.ts";

/** Bytes of row groups that are parsed before others may go on: about a millisecond. */
const bytesAtOnce = 16 * 1024;

/** Fields that parquet.thrift requires of FileMetaData. */
const fileFields = fields(1, 2, 3, 4);

/**
 * Parses a footer. Only its form is checked here; whether it can be true of a file is for `inspect.ts`.
 * Throws `invalid_parquet`.
 */
export function readFileMetadata(
  bytes: Uint8Array,
  limits: Readonly<ParquetLimits> = defaultLimits,
): FileMetaData {
  return allAtOnce(fileMetadataSteps(bytes, limits));
}

/** The same, coming back now and then, for who lets others go on meanwhile. */
export function* fileMetadataSteps(
  bytes: Uint8Array,
  limits: Readonly<ParquetLimits> = defaultLimits,
): Steps<FileMetaData> {
  const reader = new ThriftReader(bytes);
  return yield* readAll(reader, limits, (type) => readRowGroups(reader, type, limits));
}

/** A footer whose row groups are read one after another. */
export interface FooterOutline {
  /** All but the row groups, which are left empty. */
  metadata: FileMetaData;
  groups: RowGroupReader;
}

/** The footer but for its row groups, which are passed over: of a file of thousands one is to be in memory at a time. */
export function* footerOutlineSteps(
  bytes: Uint8Array,
  limits: Readonly<ParquetLimits> = defaultLimits,
): Steps<FooterOutline> {
  const reader = new ThriftReader(bytes);
  let count = 0, first = 0;
  const metadata = yield* readAll(reader, limits, function* (type) {
    count = reader.list(type, wire.struct, limits.rowGroups);
    first = reader.position;
    let came = first;
    for (let i = 0; i < count; i++) {
      reader.skip(wire.struct, true);
      if (reader.position - came < bytesAtOnce) continue;
      came = reader.position;
      yield;
    }
    return [];
  });
  return { metadata, groups: new RowGroupReader(new ThriftReader(bytes, first), count, limits) };
}

/** Reads the row groups of a footer, each once. */
export class RowGroupReader {
  readonly count: number;
  readonly #reader: ThriftReader;
  #chunksLeft: number;
  #read = 0;
  #last: RowGroup | undefined;

  /** @param reader at the first of them */
  constructor(reader: ThriftReader, count: number, limits: Readonly<ParquetLimits>) {
    this.#reader = reader;
    this.count = count;
    this.#chunksLeft = limits.columnChunks;
  }

  /** The next one, in steps; call it `count` times. Throws `invalid_parquet`, naming it. */
  *next(): Steps<RowGroup> {
    try {
      const group = yield* readRowGroup(this.#reader, this.#chunksLeft, this.#last);
      this.#chunksLeft -= group.columns.length;
      return this.#last = group;
    } catch (error) {
      throw atPlace(error, { rowGroup: this.#read });
    } finally {
      this.#read++;
    }
  }
}

function* readAll(
  reader: ThriftReader,
  limits: Readonly<ParquetLimits>,
  readGroups: (listType: number) => Steps<RowGroup[]>,
): Steps<FileMetaData> {
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
        metadata.rowGroups = yield* readGroups(type);
        break;
      case 5:
        if (reader.is(type, wire.list)) {
          metadata.keyValues = readKeyValues(reader, type, limits.keyValues);
        }
        break;
      case 6:
        if (reader.is(type, wire.binary)) metadata.createdBy = reader.string();
        break;
      case 7:
        if (reader.is(type, wire.list)) {
          metadata.columnOrders = readColumnOrders(reader, type, limits);
        }
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

function* readRowGroups(
  reader: ThriftReader,
  listType: number,
  limits: Readonly<ParquetLimits>,
): Steps<RowGroup[]> {
  const count = reader.list(listType, wire.struct, limits.rowGroups);
  const groups: RowGroup[] = [];
  const one = new RowGroupReader(reader, count, limits);
  let came = reader.position;
  for (let i = 0; i < count; i++) {
    groups.push(yield* one.next());
    if (reader.position - came < bytesAtOnce) continue;
    came = reader.position;
    yield;
  }
  return groups;
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
      if (type === wire.struct) order = Math.max(0, reader.fieldId);
      reader.skip(type);
    }
    reader.leaveStruct(outer);
    orders.push(order);
  }
  return orders;
}

/**
 * Writes a footer. What was read and is not in {@link FileMetaData} (unknown fields, encryption) is not written.
 */
export function writeFileMetadata(writer: ThriftWriter, metadata: FileMetaData): void {
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
}
