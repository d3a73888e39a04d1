import { knownNumbers, type LogicalType, type TimeUnit } from "./metadata.ts";
import { parquetError } from "./parquet_error.ts";
import { fields, requireFields } from "./thrift/required_fields.ts";
import type { ThriftReader } from "./thrift/thrift_reader.ts";
import type { ThriftWriter } from "./thrift/thrift_writer.ts";
import { wire } from "./thrift/wire.ts";

/** Members of the LogicalType union without parameters, by field id (parquet.thrift). */
const plainKinds: Record<number, LogicalType> = {
  1: { kind: "STRING" },
  2: { kind: "MAP" },
  3: { kind: "LIST" },
  4: { kind: "ENUM" },
  6: { kind: "DATE" },
  11: { kind: "UNKNOWN" },
  12: { kind: "JSON" },
  13: { kind: "BSON" },
  14: { kind: "UUID" },
  15: { kind: "FLOAT16" },
};

const unionIds: Record<Exclude<LogicalType["kind"], "OTHER">, number> = {
  STRING: 1,
  MAP: 2,
  LIST: 3,
  ENUM: 4,
  DECIMAL: 5,
  DATE: 6,
  TIME: 7,
  TIMESTAMP: 8,
  INTEGER: 10,
  UNKNOWN: 11,
  JSON: 12,
  BSON: 13,
  UUID: 14,
  FLOAT16: 15,
  VARIANT: 16,
  GEOMETRY: 17,
  GEOGRAPHY: 18,
};

const timeUnits: TimeUnit[] = ["MILLIS", "MICROS", "NANOS"];

/** Reads the LogicalType union. A member that is not known is kept as OTHER with its id. */
export function readLogicalType(reader: ThriftReader): LogicalType {
  const outer = reader.enterStruct();
  let result: LogicalType | undefined;
  for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
    reader.expect(type, wire.struct);
    if (result !== undefined) {
      throw parquetError("invalid_parquet", "a logical type is two at once");
    }
    const start = reader.position;
    result = readMember(reader, reader.fieldId);
    if (result.kind === "OTHER") result.member = toHex(reader.bytes, start, reader.position);
  }
  reader.leaveStruct(outer);
  if (result === undefined) throw parquetError("invalid_parquet", "a logical type is empty");
  return result;
}

/** Bytes of a member that is not known, at most: such that are known take 40. */
const largestMember = 256;

/** The member of a union, fields and stop, which is kept as it is. */
function toHex(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > largestMember) {
    throw parquetError(
      "unsupported_parquet",
      `a logical type that is not known takes ${end - start} bytes`,
    );
  }
  let hex = "";
  for (let i = start; i < end; i++) hex += bytes[i].toString(16).padStart(2, "0");
  return hex;
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? ["00"], (byte) => parseInt(byte, 16));
}

function readMember(reader: ThriftReader, id: number): LogicalType {
  let scale = 0, precision = 0, bitWidth = 0, version, crs, algorithm;
  let flag: boolean | undefined, unit: TimeUnit | undefined;
  const outer = reader.enterStruct();
  let seen = 0;
  for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
    seen = reader.note(seen);
    const field = reader.fieldId;
    if (id === 5 && field === 1) scale = reader.int32(type);
    else if (id === 5 && field === 2) precision = reader.int32(type);
    else if ((id === 7 || id === 8) && field === 1) flag = reader.boolean(type);
    else if ((id === 7 || id === 8) && field === 2) unit = readTimeUnit(reader, type);
    else if (id === 10 && field === 1) bitWidth = reader.int8(type);
    else if (id === 10 && field === 2) flag = reader.boolean(type);
    else if (id === 16 && field === 1) version = reader.int8(type);
    else if ((id === 17 || id === 18) && field === 1) crs = reader.string(type);
    else if (id === 18 && field === 2) {
      algorithm = reader.enumeration(type, knownNumbers.edges);
    } else reader.skip(type);
  }
  reader.leaveStruct(outer);
  if (id === 5) requireFields(seen, fields(1, 2), "a decimal type");
  if (id === 5) return { kind: "DECIMAL", scale, precision };
  if (id === 7 || id === 8) {
    if (flag === undefined || unit === undefined) {
      throw parquetError("invalid_parquet", "a time type lacks its unit or isAdjustedToUTC");
    }
    return { kind: id === 7 ? "TIME" : "TIMESTAMP", utc: flag, unit };
  }
  if (id === 10) {
    if (flag === undefined || ![8, 16, 32, 64].includes(bitWidth)) {
      throw parquetError("invalid_parquet", `an integer type has ${bitWidth} bits or no sign`);
    }
    return { kind: "INTEGER", bitWidth, signed: flag };
  }
  if (id === 16) return { kind: "VARIANT", version };
  if (id === 17) return { kind: "GEOMETRY", crs };
  if (id === 18) return { kind: "GEOGRAPHY", crs, algorithm };
  return plainKinds[id] ?? { kind: "OTHER", id, member: "" };
}

function readTimeUnit(reader: ThriftReader, type: number): TimeUnit {
  reader.expect(type, wire.struct);
  const outer = reader.enterStruct();
  let unit: TimeUnit | undefined;
  for (let member = reader.nextField(); member !== 0; member = reader.nextField()) {
    unit = timeUnits[reader.fieldId - 1];
    reader.expect(member, wire.struct);
    reader.skip(member);
  }
  reader.leaveStruct(outer);
  if (unit === undefined) {
    throw parquetError("unsupported_parquet", "a time type has no known unit");
  }
  return unit;
}

/** Writes the union as field `id` of the open struct. */
export function writeLogicalType(writer: ThriftWriter, id: number, logical: LogicalType): void {
  writer.begin(id);
  if (logical.kind === "OTHER") {
    writer.rawStruct(logical.id, fromHex(logical.member));
    writer.end();
    return;
  }
  writer.begin(unionIds[logical.kind]);
  switch (logical.kind) {
    case "DECIMAL":
      writer.i32(1, logical.scale);
      writer.i32(2, logical.precision);
      break;
    case "TIME":
    case "TIMESTAMP":
      writer.boolean(1, logical.utc);
      writer.begin(2);
      writer.begin(timeUnits.indexOf(logical.unit) + 1);
      writer.end();
      writer.end();
      break;
    case "INTEGER":
      writer.i8(1, logical.bitWidth);
      writer.boolean(2, logical.signed);
      break;
    case "VARIANT":
      writer.i8(1, logical.version);
      break;
    case "GEOMETRY":
      writer.bytes(1, logical.crs);
      break;
    case "GEOGRAPHY":
      writer.bytes(1, logical.crs);
      writer.i32(2, logical.algorithm);
      break;
  }
  writer.end();
  writer.end();
}
