import {
  convertedType,
  type LogicalType as ParquetLogicalType,
  physicalType,
  repetition,
  type SchemaElement,
  type TimeUnit,
} from "../parquet/format/metadata.ts";
import { decimalBytes } from "./columns/decimal.ts";
import { unionMembers } from "./columns/union_members.ts";
import type { AvroRecord, AvroType, LogicalType } from "./schema.ts";

const { REQUIRED, OPTIONAL, REPEATED } = repetition;

const timeUnits: Record<string, TimeUnit> = { millis: "MILLIS", micros: "MICROS", nanos: "NANOS" };

/**
 * The Parquet schema of an Avro record, flat and depth-first as a footer holds it. Lists and maps have three
 * levels (LogicalTypes.md, "Nested Types"); what Avro does not let be null is REQUIRED.
 */
export function parquetSchema(record: AvroRecord): SchemaElement[] {
  const elements: SchemaElement[] = [group("schema", undefined, record.fields.length)];
  for (const field of record.fields) append(elements, field.name, REQUIRED, field.type);
  return elements;
}

function append(elements: SchemaElement[], name: string, kind: number, type: AvroType): void {
  switch (type.kind) {
    case "record":
      elements.push(group(name, kind, type.fields.length));
      for (const field of type.fields) append(elements, field.name, REQUIRED, field.type);
      return;
    case "array":
      elements.push(group(name, kind, 1, { kind: "LIST" }, convertedType.LIST));
      elements.push(group("list", REPEATED, 1));
      append(elements, "element", REQUIRED, type.items);
      return;
    case "map":
      elements.push(group(name, kind, 1, { kind: "MAP" }, convertedType.MAP));
      elements.push(group("key_value", REPEATED, 2));
      elements.push(text("key", REQUIRED));
      append(elements, "value", REQUIRED, type.values);
      return;
    case "union": {
      const { nullable, members } = unionMembers(type);
      const repeat = nullable ? OPTIONAL : kind;
      if (members.length === 1) return append(elements, name, repeat, members[0]);
      elements.push(group(name, repeat, members.length));
      for (const [index, member] of members.entries()) {
        append(elements, `member${index}`, OPTIONAL, member);
      }
      return;
    }
    case "null":
      elements.push(leaf(name, OPTIONAL, physicalType.INT32, { logical: { kind: "UNKNOWN" } }));
      return;
    case "enum":
      elements.push(text(name, kind));
      return;
    default:
      elements.push(leafOf(name, kind, type));
  }
}

type LeafType = Extract<AvroType, { logical?: LogicalType }>;

function leafOf(name: string, kind: number, type: LeafType): SchemaElement {
  const { logical } = type;
  if (logical?.kind === "decimal") return decimal(name, kind, logical.precision, logical.scale);
  if (logical?.kind === "uuid") {
    return leaf(name, kind, physicalType.FIXED_LEN_BYTE_ARRAY, {
      length: 16,
      logical: { kind: "UUID" },
    });
  }
  switch (type.kind) {
    case "boolean":
      return leaf(name, kind, physicalType.BOOLEAN);
    case "int":
    case "long": {
      const physical = type.kind === "int" ? physicalType.INT32 : physicalType.INT64;
      return leaf(name, kind, physical, logical && temporal(logical));
    }
    case "float":
      return leaf(name, kind, physicalType.FLOAT);
    case "double":
      return leaf(name, kind, physicalType.DOUBLE);
    case "bytes":
      return leaf(name, kind, physicalType.BYTE_ARRAY);
    case "fixed":
      // Avro's duration and Parquet's INTERVAL are the same 12 bytes: months, days, milliseconds
      return leaf(name, kind, physicalType.FIXED_LEN_BYTE_ARRAY, {
        length: type.size,
        converted: logical?.kind === "duration" ? convertedType.INTERVAL : undefined,
      });
    default:
      return text(name, kind);
  }
}

function temporal(logical: LogicalType): LeafDetails {
  switch (logical.kind) {
    case "date":
      return { logical: { kind: "DATE" }, converted: convertedType.DATE };
    case "time": // local: the older annotations mean UTC
      return { logical: { kind: "TIME", utc: false, unit: timeUnits[logical.unit] } };
    case "timestamp": {
      const { utc, unit } = logical;
      const converted = !utc || unit === "nanos"
        ? undefined
        : unit === "millis"
        ? convertedType.TIMESTAMP_MILLIS
        : convertedType.TIMESTAMP_MICROS;
      return { logical: { kind: "TIMESTAMP", utc, unit: timeUnits[unit] }, converted };
    }
    default:
      return {};
  }
}

function decimal(name: string, kind: number, precision: number, scale: number): SchemaElement {
  const physical = precision <= 9
    ? physicalType.INT32
    : precision <= 18
    ? physicalType.INT64
    : physicalType.FIXED_LEN_BYTE_ARRAY;
  const element = leaf(name, kind, physical, {
    length: precision > 18 ? decimalBytes(precision) : undefined,
    logical: { kind: "DECIMAL", precision, scale },
    converted: convertedType.DECIMAL,
  });
  return { ...element, precision, scale };
}

function text(name: string, kind: number): SchemaElement {
  return leaf(name, kind, physicalType.BYTE_ARRAY, {
    logical: { kind: "STRING" },
    converted: convertedType.UTF8,
  });
}

interface LeafDetails {
  length?: number;
  logical?: ParquetLogicalType;
  converted?: number;
}

function leaf(
  name: string,
  kind: number,
  type: number,
  details: LeafDetails = {},
): SchemaElement {
  return {
    type,
    typeLength: details.length,
    repetition: kind,
    name,
    numChildren: undefined,
    convertedType: details.converted,
    scale: undefined,
    precision: undefined,
    fieldId: undefined,
    logicalType: details.logical,
  };
}

function group(
  name: string,
  kind: number | undefined,
  children: number,
  logical?: ParquetLogicalType,
  converted?: number,
): SchemaElement {
  return {
    type: undefined,
    typeLength: undefined,
    repetition: kind,
    name,
    numChildren: children,
    convertedType: converted,
    scale: undefined,
    precision: undefined,
    fieldId: undefined,
    logicalType: logical,
  };
}
