/** What a column's values are for a comparison, and a literal among them. */
import { SedimentError } from "../../errors.ts";
import { logicalText } from "../../parquet/format/logical_text.ts";
import { physicalType, type TimeUnit } from "../../parquet/format/metadata.ts";
import { printable } from "../../parquet/format/parquet_error.ts";
import type { FieldView } from "../../parquet/merge/union/field_view.ts";
import type { LeafKind } from "../../parquet/merge/union/leaf_kind.ts";
import type { Literal } from "./where.ts";

/**
 * How values compare: whole numbers (also booleans, days, times, and decimals as their digits without the point),
 * floating ones, or bytes in unsigned order, which for texts is the order of code points.
 */
export type Domain = "whole" | "floating" | "bytes" | "none";

/** A literal as a point on its column's scale: at `at`, or between it and the next value. */
export interface Point {
  at: bigint | number | Uint8Array;
  exact: boolean;
}

/** How a leaf's values compare; `none`: they have no order that is known here. */
export function domainOf({ element, logical }: LeafKind): Domain {
  switch (logical?.kind) {
    case "UNKNOWN":
    case "INTERVAL":
    case "GEOMETRY":
    case "GEOGRAPHY":
    case "VARIANT":
    case "OTHER":
      return "none";
    case "FLOAT16":
      return "floating";
    case "DECIMAL":
      return "whole";
  }
  switch (element.type) {
    case physicalType.INT96:
      return "whole";
    case physicalType.FLOAT:
    case physicalType.DOUBLE:
      return "floating";
    case physicalType.BYTE_ARRAY:
    case physicalType.FIXED_LEN_BYTE_ARRAY:
      return "bytes";
  }
  return "whole";
}

/** Sign of a value compared with a point; NaN compares as undefined. */
export function compareNumber(value: number | bigint, { at, exact }: Point): number | undefined {
  const point = at as number | bigint;
  if (value > point) return 1;
  if (value < point) return -1;
  if (value == point) return exact ? 0 : -1;
  return undefined;
}

/** Sign of bytes compared with a point's. */
export function compareBytes(
  bytes: Uint8Array,
  start: number,
  end: number,
  { at }: Point,
): number {
  const point = at as Uint8Array;
  const length = Math.min(end - start, point.length);
  for (let i = 0; i < length; i++) {
    const difference = bytes[start + i] - point[i];
    if (difference !== 0) return difference;
  }
  return end - start - point.length;
}

/** The literal on the scale of a leaf. Throws `invalid_request` where it can't be compared with such values. */
export function pointOf(literal: Literal, view: FieldView, kind: LeafKind): Point {
  const refuse = (expected: string) => {
    const shown = typeof literal === "bigint" ? `${literal}n` : JSON.stringify(literal) ?? literal;
    return new SedimentError(
      "invalid_request",
      `column ${printable(view.name)} can't be compared with ${String(shown).slice(0, 100)}`,
      { field: "where", expected },
    );
  };
  const { element, logical } = kind;
  const domain = domainOf(kind);
  if (domain === "none") {
    const type = logical === undefined ? "such values" : logicalText(logical);
    throw refuse(`"is null" or "is not null": ${type} have no order`);
  }
  if (domain === "bytes") return { at: bytesOf(literal, kind, refuse), exact: true };
  if (domain === "floating") {
    if (typeof literal !== "number" && typeof literal !== "bigint") throw refuse("a number");
    return { at: literal, exact: true };
  }
  switch (logical?.kind) {
    case "DECIMAL":
      return decimalPoint(literal, logical.scale, refuse);
    case "DATE":
      return timePoint(literal, 86_400_000n, "over", refuse);
    case "TIMESTAMP":
      return timePoint(literal, perMillisecond[logical.unit], "times", refuse);
    case "TIME":
      if (typeof literal === "bigint" || Number.isSafeInteger(literal)) {
        return { at: literal as bigint, exact: true };
      }
      throw refuse(`a whole number of ${unitNames[logical.unit]} since midnight`);
  }
  if (element.type === physicalType.BOOLEAN) {
    if (typeof literal !== "boolean") throw refuse("true or false");
    return { at: literal ? 1 : 0, exact: true };
  }
  if (element.type === physicalType.INT96) return timePoint(literal, 1_000_000n, "times", refuse);
  if (typeof literal !== "number" && typeof literal !== "bigint") throw refuse("a number");
  if (Number.isNaN(literal)) throw refuse("a number that is one");
  return { at: literal, exact: true };
}

const perMillisecond: Record<TimeUnit, bigint> = { MILLIS: 1n, MICROS: 1000n, NANOS: 1_000_000n };
const unitNames: Record<TimeUnit, string> = { MILLIS: "ms", MICROS: "µs", NANOS: "ns" };

type Refuse = (expected: string) => Error;

function timePoint(
  literal: Literal,
  factor: bigint,
  how: "times" | "over",
  refuse: Refuse,
): Point {
  if (typeof literal === "bigint") return { at: literal, exact: true };
  if (typeof literal === "number" && Number.isSafeInteger(literal)) {
    return { at: BigInt(literal), exact: true };
  }
  if (!(literal instanceof Date) || Number.isNaN(literal.getTime())) {
    throw refuse("a Date, or a whole number in the column's unit since 1970");
  }
  const milliseconds = BigInt(literal.getTime());
  return how === "times"
    ? { at: milliseconds * factor, exact: true }
    : floorDivision(milliseconds, factor);
}

/** The whole part towards minus infinity, and whether nothing was left. */
function floorDivision(number: bigint, by: bigint): Point {
  const rest = ((number % by) + by) % by;
  return { at: (number - rest) / by, exact: rest === 0n };
}

function decimalPoint(literal: Literal, scale: number, refuse: Refuse): Point {
  const expected = 'the decimal as digits, like "12.50", or a whole number';
  if (typeof literal === "number" && !Number.isSafeInteger(literal)) throw refuse(expected);
  if (!["number", "bigint", "string"].includes(typeof literal)) throw refuse(expected);
  const match = /^([+-]?)(\d+)(?:\.(\d+))?$/.exec(String(literal));
  if (match === null || match[0].length > 200) throw refuse(expected);
  const [, sign, whole, fraction = ""] = match;
  const digits = BigInt(whole + fraction) * (sign === "-" ? -1n : 1n);
  const steps = scale - fraction.length;
  return steps >= 0
    ? { at: digits * 10n ** BigInt(steps), exact: true }
    : floorDivision(digits, 10n ** BigInt(-steps));
}

function bytesOf(literal: Literal, { logical, element }: LeafKind, refuse: Refuse): Uint8Array {
  const kind = logical?.kind;
  if (kind === "UUID") {
    if (literal instanceof Uint8Array && literal.length === 16) return literal;
    const hex = typeof literal === "string" ? literal.replaceAll("-", "") : "";
    if (!/^[0-9a-f]{32}$/i.test(hex)) throw refuse("a UUID");
    return Uint8Array.from({ length: 16 }, (_, i) => parseInt(hex.slice(2 * i, 2 * i + 2), 16));
  }
  if (kind === "STRING" || kind === "ENUM" || kind === "JSON") {
    if (typeof literal !== "string") throw refuse("a string");
    return new TextEncoder().encode(literal);
  }
  if (!(literal instanceof Uint8Array)) {
    throw refuse(`a Uint8Array${element.typeLength ? ` of ${element.typeLength} bytes` : ""}`);
  }
  return literal;
}
