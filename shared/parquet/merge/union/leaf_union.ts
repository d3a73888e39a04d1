/**
 * Which types one column may have in two files without loss, and how values get from one to the other
 * (docs/merge.md, rule 6). The list is short on purpose: where DuckDB's union_by_name widens further it rounds
 * (bigint and double), fails (timestamps of far years in nanoseconds) or changes what values mean.
 */
import {
  convertedType,
  type LogicalType,
  physicalType,
  type TimeUnit,
} from "../../format/metadata.ts";
import { conversions } from "./source_plan.ts";
import type { SchemaNode } from "../../format/schema.ts";
import { leafType } from "../../format/schema_text.ts";
import { spellingOf } from "../../format/spelling.ts";
import { decimalConversion, unionDecimal } from "./decimal_union.ts";
import type { UnionOptions } from "./union_options.ts";
import { type Integer, integerOf, type LeafElement, type LeafKind, leafKind } from "./leaf_kind.ts";

const { INT32, INT64, FLOAT, DOUBLE } = physicalType;

/** The type that holds all values of both, or undefined when there is none without loss. */
export function unionLeaf(
  one: SchemaNode | LeafKind,
  other: SchemaNode | LeafKind,
  options: UnionOptions = {},
): LeafKind | undefined {
  const a = "path" in one ? leafKind(one) : one;
  const b = "path" in other ? leafKind(other) : other;
  const [ka, kb] = [a.logical?.kind, b.logical?.kind];
  if (kb === "UNKNOWN") return a;
  if (ka === "UNKNOWN") return b;
  // a reader that knows one of the annotations answers something else for each
  const spelling = spellingOf(a.element, a.logical);
  if (spelling !== spellingOf(b.element, b.logical)) return undefined;
  if (typeText(a) === typeText(b)) return a;
  if (ka === kb && (ka === "TIMESTAMP" || ka === "TIME")) return unionTime(a, b);
  // a reader that doesn't know the type sees the numbers behind it, which may change from here on
  if (spelling !== "") return undefined;
  if (ka === "DECIMAL" || kb === "DECIMAL") return unionDecimal(a, b);
  if (ka === "STRING" && isSpecialText(kb)) return a;
  if (kb === "STRING" && isSpecialText(ka)) return b;
  if (options.uuidAsText) {
    if (ka === "STRING" && kb === "UUID") return a;
    if (kb === "STRING" && ka === "UUID") return b;
  }
  const [ia, ib] = [integerOf(a), integerOf(b)];
  if (ia !== undefined && ib !== undefined) return unionInteger(ia, ib);
  if (isPlain(a, FLOAT) && isPlain(b, DOUBLE)) return b;
  if (isPlain(a, DOUBLE) && isPlain(b, FLOAT)) return a;
  if (ia !== undefined && fitsFloating(ia, b)) return b;
  if (ib !== undefined && fitsFloating(ib, a)) return a;
  return undefined;
}

/** Texts that are text to those who don't know better. */
function isSpecialText(kind: string | undefined): boolean {
  return kind === "ENUM" || kind === "JSON";
}

/** How values of a source leaf become those of an output leaf; undefined when they can't. */
export function leafConversion(
  source: LeafKind,
  output: LeafKind,
  options: UnionOptions = {},
): { conversion?: number; parameter?: number } | undefined {
  const union = unionLeaf(output, source, options);
  if (union === undefined || typeText(union) !== typeText(output)) return undefined;
  const from = source.element, to = output.element;
  if (source.logical?.kind === "UNKNOWN") return { conversion: conversions.nothing };
  if (output.logical?.kind === "DECIMAL") return decimalConversion(source, output);
  if (source.logical?.kind === "TIMESTAMP" || source.logical?.kind === "TIME") {
    const unit = (kind: LeafKind) => (kind.logical as { unit: TimeUnit }).unit;
    if (unit(source) === unit(output)) return {};
    const conversion = from.type === INT32 ? conversions.scaleInt32ToInt64 : conversions.scaleInt64;
    return { conversion, parameter: 1000 };
  }
  if (from.type === to.type) return {};
  if (source.logical?.kind === "UUID") return { conversion: conversions.uuidToText };
  const integer = integerOf(source);
  if (integer !== undefined && to.type === INT64) {
    return { conversion: integer.signed ? conversions.int32ToInt64 : conversions.uint32ToInt64 };
  }
  if (integer !== undefined && to.type === FLOAT) return { conversion: conversions.int32ToFloat };
  if (integer !== undefined && to.type === DOUBLE) {
    const unsigned = !integer.signed && integer.bits === 32;
    return { conversion: unsigned ? conversions.uint32ToDouble : conversions.int32ToDouble };
  }
  if (from.type === FLOAT && to.type === DOUBLE) return { conversion: conversions.floatToDouble };
  return undefined;
}

/** Normalised type; decimals with their storage aside. */
function typeText(kind: LeafKind): string {
  return leafType(kind);
}

function isPlain(kind: LeafKind, type: number): boolean {
  return kind.element.type === type && kind.logical === undefined;
}

/** Whether the other type is a floating one that has every value of the integer: 24 bits, or 53. */
function fitsFloating({ bits }: Integer, other: LeafKind): boolean {
  return isPlain(other, DOUBLE) ? bits <= 32 : isPlain(other, FLOAT) && bits <= 16;
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
