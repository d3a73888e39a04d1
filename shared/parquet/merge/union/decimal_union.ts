/**
 * Decimals of any scale and storage, and integers beside them, in one column: the whole digits and the fraction of
 * both, as DuckDB's union has it. Values are multiplied by powers of ten and sign-extended, never rounded.
 */
import { type LogicalType, physicalType } from "../../format/metadata.ts";
import { spelled } from "../../format/spelling.ts";
import { conversions } from "./source_plan.ts";
import { type Integer, integerOf, type LeafElement, type LeafKind } from "./leaf_kind.ts";

const { INT32, INT64, BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY } = physicalType;

interface Decimal {
  precision: number;
  scale: number;
}

/** Digits that DuckDB, and most engines, have. Decimals of one scale are taken beyond it. */
const mostDigits = 38;

/** The largest power of ten by which integers are multiplied as integers. */
const mostIntegerSteps = 9;

/** What a leaf is as a decimal: itself, or a small enough integer's digits. */
function decimalOf(kind: LeafKind): Decimal | undefined {
  if (kind.logical?.kind === "DECIMAL") return kind.logical;
  const integer = integerOf(kind);
  const precision = integer && digitsOf(integer);
  return precision === undefined ? undefined : { precision, scale: 0 };
}

/** Unsigned numbers of 32 and 64 bits are stored as signed ones, which a decimal would take them for. */
function digitsOf({ bits, signed }: Integer): number | undefined {
  if (!signed) return bits === 8 ? 3 : bits === 16 ? 5 : undefined;
  return { 8: 3, 16: 5, 32: 10, 64: 19 }[bits];
}

/** The decimal that holds all values of both leaves, of which one is a decimal; undefined when there is none. */
export function unionDecimal(a: LeafKind, b: LeafKind): LeafKind | undefined {
  const one = decimalOf(a), other = decimalOf(b);
  if (one === undefined || other === undefined) return undefined;
  const scale = Math.max(one.scale, other.scale);
  const whole = Math.max(one.precision - one.scale, other.precision - other.scale);
  const precision = whole + scale;
  const changes = one.scale !== other.scale || a.logical?.kind !== b.logical?.kind;
  if (changes && precision > mostDigits) return undefined;
  const storage = decimalStorage(
    { element: a.element, steps: scale - one.scale },
    { element: b.element, steps: scale - other.scale },
    precision,
  );
  if (storage === undefined) return undefined;
  const logicalType: LogicalType = { kind: "DECIMAL", scale, precision };
  return {
    element: {
      type: storage.type,
      typeLength: storage.typeLength,
      scale,
      precision,
      ...spelled(logicalType, ""),
    },
    logical: logicalType,
  };
}

/** Bytes that hold every decimal of so many digits in two's complement. */
function bytesOf(precision: number): number {
  return Math.ceil((precision * Math.log2(10) + 1) / 8);
}

/** A leaf's storage, and by which power of ten its values are multiplied. */
interface Stored {
  element: LeafElement;
  steps: number;
}

function decimalStorage(a: Stored, b: Stored, precision: number) {
  const both = [a, b];
  const types = both.map(({ element }) => element.type);
  const integers = types.every((type) => type === INT32 || type === INT64);
  if (integers && both.every(({ steps }) => steps <= mostIntegerSteps)) {
    if (precision <= 9 && types.every((type) => type === INT32)) return { type: INT32 };
    if (precision <= 18) return { type: INT64 };
  }
  const unchanged = both.every(({ steps }) => steps === 0);
  if (unchanged && types.every((type) => type === BYTE_ARRAY)) return { type: BYTE_ARRAY };
  // wide enough for the precision, and for whatever a source may hold beyond it
  let length = bytesOf(precision);
  for (const { element, steps } of both) {
    if (steps > 0) continue; // what is beyond its precision may overflow, which is checked
    if (element.type === INT32) length = Math.max(length, 4);
    if (element.type === INT64) length = Math.max(length, 8);
    if (element.type === FIXED_LEN_BYTE_ARRAY) length = Math.max(length, element.typeLength!);
  }
  const same = types.every((type) => type === FIXED_LEN_BYTE_ARRAY) &&
    a.element.typeLength === b.element.typeLength && unchanged;
  if (!same && length > 32) return undefined;
  return { type: FIXED_LEN_BYTE_ARRAY, typeLength: length };
}

/** How the values of a decimal, or integer, become those of the output's decimal. */
export function decimalConversion(
  source: LeafKind,
  output: LeafKind,
): { conversion?: number; parameter?: number } | undefined {
  const from = source.element, to = output.element;
  const steps = (output.logical as Decimal).scale - decimalOf(source)!.scale;
  if (steps > 0) return scaled(from, to, steps);
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

function scaled(from: LeafElement, to: LeafElement, steps: number) {
  if (to.type === INT32 || to.type === INT64) {
    const parameter = 10 ** steps;
    if (from.type === INT64) return { conversion: conversions.scaleInt64, parameter };
    return {
      conversion: to.type === INT32 ? conversions.scaleInt32 : conversions.scaleInt32ToInt64,
      parameter,
    };
  }
  const fromLength = from.type === FIXED_LEN_BYTE_ARRAY ? from.typeLength! : 0;
  if (fromLength > 255) return undefined;
  const conversion = from.type === INT32
    ? conversions.scaleInt32ToFixed
    : from.type === INT64
    ? conversions.scaleInt64ToFixed
    : from.type === FIXED_LEN_BYTE_ARRAY
    ? conversions.scaleFixed
    : conversions.scaleBytesToFixed;
  return { conversion, parameter: fromLength | (to.typeLength! << 8) | (steps << 16) };
}
