/** A filter's outcome for each row of a batch. */
import * as arrow from "apache-arrow";
import { compareBytes, compareNumber, type Point } from "./domain.ts";
import type { Filter } from "./filter.ts";
import { isFalse, isTrue, isUnknown } from "./outcome.ts";
import type { Comparison } from "./where.ts";

/** One of the three outcomes for each row. */
export function evaluate(filter: Filter, batch: arrow.RecordBatch): Uint8Array {
  switch (filter.kind) {
    case "and":
    case "or": {
      const isAnd = filter.kind === "and";
      const result = new Uint8Array(batch.numRows).fill(isAnd ? isTrue : isFalse);
      for (const part of filter.parts) {
        const one = evaluate(part, batch);
        for (let i = 0; i < result.length; i++) {
          if (isAnd ? one[i] < result[i] : one[i] > result[i]) result[i] = one[i];
        }
      }
      return result;
    }
    case "not": {
      const result = evaluate(filter.part, batch);
      for (let i = 0; i < result.length; i++) result[i] = isTrue - result[i];
      return result;
    }
    case "null": {
      const data = columnOf(batch, filter.column);
      const valid = validity(data);
      const result = new Uint8Array(data.length);
      for (let i = 0; i < result.length; i++) {
        result[i] = valid(i) === filter.negated ? isTrue : isFalse;
      }
      return result;
    }
    case "compare": {
      const data = columnOf(batch, filter.column);
      if (data.type instanceof arrow.Null) return new Uint8Array(data.length).fill(isUnknown);
      const result = compare(data, filter.op, filter.point);
      if (data.nullCount > 0) {
        const valid = validity(data);
        for (let i = 0; i < result.length; i++) if (!valid(i)) result[i] = isUnknown;
      }
      return result;
    }
  }
}

function columnOf(batch: arrow.RecordBatch, name: string): arrow.Data {
  return batch.data.children[batch.schema.fields.findIndex((field) => field.name === name)];
}

function validity(data: arrow.Data): (i: number) => boolean {
  if (data.type instanceof arrow.Null) return () => false;
  const { nullBitmap, nullCount } = data;
  if (nullCount === 0) return () => true;
  return (i) => ((nullBitmap[i >> 3] >> (i & 7)) & 1) === 1;
}

/** The outcome where a value is below, at and above the point, and where it is NaN. */
const outcomesOf: Record<Comparison, [number, number, number, number]> = {
  "=": [isFalse, isTrue, isFalse, isFalse],
  "!=": [isTrue, isFalse, isTrue, isTrue],
  "<": [isTrue, isFalse, isFalse, isFalse],
  "<=": [isTrue, isTrue, isFalse, isFalse],
  ">": [isFalse, isFalse, isTrue, isFalse],
  ">=": [isFalse, isTrue, isTrue, isFalse],
};

function compare(data: arrow.Data, op: Comparison, point: Point): Uint8Array {
  const [below, at, above, none] = outcomesOf[op];
  const outcome = (sign: number | undefined) =>
    sign === undefined ? none : sign < 0 ? below : sign > 0 ? above : at;
  const result = new Uint8Array(data.length);
  const { type, values } = data;
  if (type instanceof arrow.Utf8 || type instanceof arrow.Binary) {
    const { valueOffsets } = data;
    for (let i = 0; i < result.length; i++) {
      result[i] = outcome(compareBytes(values, valueOffsets[i], valueOffsets[i + 1], point));
    }
  } else if (type instanceof arrow.FixedSizeBinary) {
    const width = type.byteWidth;
    for (let i = 0; i < result.length; i++) {
      result[i] = outcome(compareBytes(values, i * width, (i + 1) * width, point));
    }
  } else if (type instanceof arrow.Decimal || type instanceof arrow.Bool) {
    const value = type instanceof arrow.Bool
      ? (i: number) => (values[i >> 3] >> (i & 7)) & 1
      : decimals(values, type.bitWidth / 32);
    for (let i = 0; i < result.length; i++) result[i] = outcome(compareNumber(value(i), point));
  } else {
    const numbers = type instanceof arrow.Float16 ? Float64Array.from(values, half) : values;
    compareAll(numbers, likeValues(point, numbers), outcomesOf[op], result);
  }
  return result;
}

/** The point in the values' own kind of number where that is exact: comparing a number with a bigint takes long. */
function likeValues({ at, exact }: Point, values: ArrayLike<number | bigint>): Point {
  const big = values instanceof BigInt64Array || values instanceof BigUint64Array;
  if (big && typeof at === "number" && Number.isSafeInteger(at)) return { at: BigInt(at), exact };
  if (!big && typeof at === "bigint" && Number.isSafeInteger(Number(at))) {
    return { at: Number(at), exact };
  }
  return { at, exact };
}

function compareAll(
  values: ArrayLike<number | bigint>,
  point: Point,
  [below, at, above, none]: [number, number, number, number],
  result: Uint8Array,
): void {
  const where = point.at as number;
  const there = point.exact ? at : below;
  for (let i = 0; i < result.length; i++) {
    const value = values[i] as number;
    result[i] = value < where ? below : value > where ? above : value == where ? there : none;
  }
}

/** The numbers of decimals, of which each takes so many words of 32 bits. */
function decimals(words: Uint32Array, each: number): (i: number) => bigint {
  const pairs = new BigInt64Array(words.buffer, words.byteOffset, words.length / 2);
  const low = new BigUint64Array(words.buffer, words.byteOffset, words.length / 2);
  const count = each / 2;
  return (i) => {
    let value = pairs[i * count + count - 1];
    for (let k = count - 2; k >= 0; k--) value = (value << 64n) | low[i * count + k];
    return value;
  };
}

/** A number of 16 bits (IEEE 754 binary16). */
export function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
