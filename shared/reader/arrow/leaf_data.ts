/** The Arrow data of a leaf, from what the kernels laid out. */
import * as arrow from "apache-arrow";
import { physicalType } from "../../parquet/format/metadata.ts";
import { parquetError } from "../../parquet/format/parquet_error.ts";
import type { SchemaNode } from "../../parquet/format/schema.ts";
import { widenDecimals, widenTexts } from "./decimal_values.ts";

/** What was laid out of a leaf's rows, copied out of the kernels' memory. */
export interface LaidOut {
  length: number;
  nullCount: number;
  nullBitmap: Uint8Array | undefined;
  values: Uint8Array<ArrayBuffer>;
  /** Of byte arrays. */
  offsets: Int32Array<ArrayBuffer> | undefined;
}

/**
 * The data of a leaf.
 * @param nullable false: slots without a value are those of a parent that is null, which the parent says itself
 */
export function leafData(
  type: arrow.DataType,
  leaf: SchemaNode,
  laidOut: LaidOut,
  nullable: boolean,
): arrow.Data {
  const { length } = laidOut;
  if (type instanceof arrow.Null) return arrow.makeData({ type, length });
  const nulls = nullable && laidOut.nullCount > 0
    ? { nullCount: laidOut.nullCount, nullBitmap: laidOut.nullBitmap }
    : { nullCount: 0 };
  const whole = leaf.element.type === physicalType.BYTE_ARRAY &&
    !(type instanceof arrow.Decimal);
  const parts = {
    type,
    length,
    ...nulls,
    ...(whole ? { valueOffsets: laidOut.offsets } : {}),
    data: leafValues(type, leaf, laidOut),
  };
  // deno-lint-ignore no-explicit-any -- one call for all types: their layouts differ in these parts only
  return arrow.makeData(parts as any);
}

/** The values in the array that Arrow's JavaScript has for the type. */
function leafValues(
  type: arrow.DataType,
  leaf: SchemaNode,
  laidOut: LaidOut,
): ArrayBufferView {
  const { values, offsets, length } = laidOut;
  const stored = leaf.element.type;
  if (type instanceof arrow.Decimal) {
    return offsets === undefined
      ? widenDecimals(values, leaf.element, length, type.bitWidth)
      : widenTexts(values, offsets, type.bitWidth, leaf);
  }
  if (stored === physicalType.INT96) return nanoseconds(laidOut, leaf);
  // small integers are stored as INT32
  if (type instanceof arrow.Int && type.bitWidth < 32) {
    const Narrow = type.ArrayType as { new (numbers: Int32Array): ArrayBufferView };
    return new Narrow(new Int32Array(values.buffer));
  }
  const { ArrayType } = type as unknown as {
    ArrayType: { new (buffer: ArrayBuffer): ArrayBufferView; BYTES_PER_ELEMENT: number };
  };
  return new ArrayType(values.buffer);
}

const nanosecondsOfDay = 86_400_000_000_000n;
/** The Julian day of 1970-01-01. */
const julianEpoch = 2_440_588;

/** INT96 as Impala and Spark write it: nanoseconds of the day, then the Julian day. */
function nanoseconds({ values, length, nullBitmap }: LaidOut, leaf: SchemaNode) {
  const result = new BigInt64Array(length);
  const view = new DataView(values.buffer);
  for (let i = 0; i < length; i++) {
    if (nullBitmap !== undefined && ((nullBitmap[i >> 3] >> (i & 7)) & 1) === 0) continue;
    const day = view.getInt32(12 * i + 8, true);
    const time = view.getBigInt64(12 * i, true);
    const exact = BigInt(day - julianEpoch) * nanosecondsOfDay + time;
    result[i] = exact;
    if (result[i] !== exact) {
      throw parquetError(
        "unsupported_parquet",
        `the INT96 timestamp of Julian day ${day} is outside of the years 1677 to 2262 of nanoseconds`,
        { column: leaf.path },
        { expected: "a scan of other columns, or timestamps in ms or µs" },
      );
    }
  }
  return result;
}
