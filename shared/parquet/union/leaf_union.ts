/**
 * Which types one column may have in two files without loss, and how values get from one to the other
 * (MERGE.md rule 6). The list is short on purpose: where DuckDB's union_by_name widens further it rounds
 * (bigint and double), fails (timestamps of far years in nanoseconds) or changes what values mean.
 */
import type { Logical } from "../logical_text.ts";
import {
  convertedType,
  type LogicalType,
  physicalType,
  type SchemaElement,
  type TimeUnit,
} from "../metadata.ts";
import { conversions } from "../pages/source_plan.ts";
import { leafType, type SchemaNode } from "../schema.ts";

/** The parts of an element that make the type of a leaf. */
export type LeafElement = Pick<
  SchemaElement,
  "type" | "typeLength" | "convertedType" | "scale" | "precision" | "logicalType"
>;

/** A leaf's type: its storage and what it stands for. */
export interface LeafKind {
  element: LeafElement;
  logical: Logical | undefined;
}

/** The type of a schema's leaf. */
export function leafKind(node: SchemaNode): LeafKind {
  return { element: node.element, logical: node.logical };
}

const { INT32, INT64, FLOAT, DOUBLE, BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY } = physicalType;

/** The type that holds all values of both, or undefined when there is none without loss. */
export function unionLeaf(
  one: SchemaNode | LeafKind,
  other: SchemaNode | LeafKind,
): LeafKind | undefined {
  const a = "path" in one ? leafKind(one) : one;
  const b = "path" in other ? leafKind(other) : other;
  if (typeText(a) === typeText(b) && a.logical?.kind !== "DECIMAL") return a;
  const [ka, kb] = [a.logical?.kind, b.logical?.kind];
  if (ka === "DECIMAL" && kb === "DECIMAL") return unionDecimal(a, b);
  if (ka === kb && (ka === "TIMESTAMP" || ka === "TIME")) return unionTime(a, b);
  if ((ka === "ENUM" && kb === "STRING") || (ka === "STRING" && kb === "ENUM")) {
    return ka === "STRING" ? a : b;
  }
  const [ia, ib] = [integerOf(a), integerOf(b)];
  if (ia !== undefined && ib !== undefined) return unionInteger(ia, ib);
  if (isPlain(a, FLOAT) && isPlain(b, DOUBLE)) return b;
  if (isPlain(a, DOUBLE) && isPlain(b, FLOAT)) return a;
  if (ia !== undefined && fitsDouble(ia) && isPlain(b, DOUBLE)) return b;
  if (ib !== undefined && fitsDouble(ib) && isPlain(a, DOUBLE)) return a;
  return undefined;
}

/** How values of a source leaf become those of an output leaf; undefined when they can't. */
export function leafConversion(
  source: LeafKind,
  output: LeafKind,
): { conversion?: number; parameter?: number } | undefined {
  const union = unionLeaf(output, source);
  if (union === undefined || typeText(union) !== typeText(output)) return undefined;
  const from = source.element, to = output.element;
  if (source.logical?.kind === "DECIMAL") return decimalConversion(from, to);
  if (source.logical?.kind === "TIMESTAMP" || source.logical?.kind === "TIME") {
    const unit = (kind: LeafKind) => (kind.logical as { unit: TimeUnit }).unit;
    if (unit(source) === unit(output)) return {};
    const conversion = from.type === INT32 ? conversions.scaleInt32ToInt64 : conversions.scaleInt64;
    return { conversion, parameter: 1000 };
  }
  if (from.type === to.type) return {};
  const integer = integerOf(source);
  if (integer !== undefined && to.type === INT64) {
    return { conversion: integer.signed ? conversions.int32ToInt64 : conversions.uint32ToInt64 };
  }
  if (integer !== undefined && to.type === DOUBLE) return { conversion: conversions.int32ToDouble };
  if (from.type === FLOAT && to.type === DOUBLE) return { conversion: conversions.floatToDouble };
  return undefined;
}

/** Normalised type; decimals with their storage aside. */
function typeText(kind: LeafKind): string {
  return leafType({ element: kind.element, logical: kind.logical } as SchemaNode);
}

function isPlain(kind: LeafKind, type: number): boolean {
  return kind.element.type === type && kind.logical === undefined;
}

interface Integer {
  bits: number;
  signed: boolean;
}

function integerOf(kind: LeafKind): Integer | undefined {
  if (kind.logical?.kind === "INTEGER") {
    return { bits: kind.logical.bitWidth, signed: kind.logical.signed };
  }
  if (isPlain(kind, INT32)) return { bits: 32, signed: true };
  if (isPlain(kind, INT64)) return { bits: 64, signed: true };
  return undefined;
}

/** INT32 of any meaning but unsigned 32 bits converts as a signed number. */
function fitsDouble(integer: Integer): boolean {
  return integer.signed ? integer.bits <= 32 : integer.bits <= 16;
}

function unionInteger(a: Integer, b: Integer): LeafKind | undefined {
  if (a.signed === b.signed) return integerKind(Math.max(a.bits, b.bits), a.signed);
  const [signed, unsigned] = a.signed ? [a, b] : [b, a];
  // an unsigned number needs the next wider signed one
  const bits = Math.max(signed.bits, 2 * unsigned.bits);
  return bits <= 64 ? integerKind(bits, true) : undefined;
}

function integerKind(bits: number, signed: boolean): LeafKind {
  const type = bits === 64 ? INT64 : INT32;
  // plain INT32 and INT64 are signed already
  if (signed && bits >= 32) return { element: plainElement(type), logical: undefined };
  const step = Math.log2(bits) - 3;
  const logicalType: LogicalType = { kind: "INTEGER", bitWidth: bits, signed };
  return {
    element: {
      ...plainElement(type),
      convertedType: (signed ? convertedType.INT_8 : convertedType.UINT_8) + step,
      logicalType,
    },
    logical: logicalType,
  };
}

function plainElement(type: number, typeLength?: number): LeafElement {
  return {
    type,
    typeLength,
    convertedType: undefined,
    scale: undefined,
    precision: undefined,
    logicalType: undefined,
  };
}

function unionTime(a: LeafKind, b: LeafKind): LeafKind | undefined {
  const [one, other] = [a.logical, b.logical] as (LogicalType & { kind: "TIME" | "TIMESTAMP" })[];
  if (one.utc !== other.utc) return undefined;
  // nanoseconds reach from 1677 to 2262 only
  const units = [one.unit, other.unit];
  if (units.includes("NANOS")) return undefined;
  return one.unit === "MICROS" ? a : b;
}

/** Bytes that hold every decimal of so many digits in two's complement. */
function bytesOf(precision: number): number {
  return Math.ceil((precision * Math.log2(10) + 1) / 8);
}

function unionDecimal(a: LeafKind, b: LeafKind): LeafKind | undefined {
  const [one, other] = [a.logical, b.logical] as (LogicalType & { kind: "DECIMAL" })[];
  if (one.scale !== other.scale) return undefined;
  const precision = Math.max(one.precision, other.precision);
  const storage = decimalStorage(a.element, b.element, precision);
  if (storage === undefined) return undefined;
  const logicalType: LogicalType = { kind: "DECIMAL", scale: one.scale, precision };
  return {
    element: {
      ...storage,
      convertedType: convertedType.DECIMAL,
      scale: one.scale,
      precision,
      logicalType,
    },
    logical: logicalType,
  };
}

function decimalStorage(
  a: LeafElement,
  b: LeafElement,
  precision: number,
): LeafElement | undefined {
  const same = a.type === b.type && (a.typeLength ?? 0) === (b.typeLength ?? 0);
  if (same) {
    return plainElement(a.type!, a.type === FIXED_LEN_BYTE_ARRAY ? a.typeLength : undefined);
  }
  const types = [a.type, b.type];
  if (types.every((type) => type === INT32 || type === INT64)) return plainElement(INT64);
  // wide enough for the precision, and for whatever a source may hold beyond it
  let length = bytesOf(precision);
  for (const element of [a, b]) {
    if (element.type === INT32) length = Math.max(length, 4);
    if (element.type === INT64) length = Math.max(length, 8);
    if (element.type === FIXED_LEN_BYTE_ARRAY) length = Math.max(length, element.typeLength!);
  }
  return length <= 32 ? plainElement(FIXED_LEN_BYTE_ARRAY, length) : undefined;
}

function decimalConversion(from: LeafElement, to: LeafElement) {
  if (from.type === to.type && (from.typeLength ?? 0) === (to.typeLength ?? 0)) return {};
  if (from.type === INT32 && to.type === INT64) return { conversion: conversions.int32ToInt64 };
  if (to.type !== FIXED_LEN_BYTE_ARRAY) return undefined;
  const width = to.typeLength! << 16;
  switch (from.type) {
    case INT32:
      return { conversion: conversions.int32ToFixed, parameter: width };
    case INT64:
      return { conversion: conversions.int64ToFixed, parameter: width };
    case FIXED_LEN_BYTE_ARRAY:
      return { conversion: conversions.fixedToFixed, parameter: from.typeLength! | width };
    case BYTE_ARRAY:
      return { conversion: conversions.bytesToFixed, parameter: width };
  }
}
