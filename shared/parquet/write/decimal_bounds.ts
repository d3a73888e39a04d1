import { physicalType } from "../format/metadata.ts";
import type { SchemaNode } from "../format/schema.ts";
import type { Bounds } from "./bounds.ts";

/**
 * The bounds, unless they are of a decimal column and have more digits than its precision: a broken file may hold
 * such values, and DuckDB fails at the statistics of the whole file then.
 */
export function withinPrecision(bounds: Bounds | undefined, leaf: SchemaNode): Bounds | undefined {
  if (bounds === undefined || leaf.logical?.kind !== "DECIMAL") return bounds;
  const most = 10n ** BigInt(leaf.logical.precision);
  for (const bytes of [bounds.min, bounds.max]) {
    const value = decimalValue(bytes, leaf.element.type!);
    if (value >= most || value <= -most) return undefined;
  }
  return bounds;
}

/** The unscaled value of a PLAIN decimal: little-endian in integers, else big-endian, two's complement. */
function decimalValue(bytes: Uint8Array, type: number): bigint {
  const bigEndian = type === physicalType.INT32 || type === physicalType.INT64
    ? bytes.slice().reverse()
    : bytes;
  let value = 0n;
  for (const byte of bigEndian) value = (value << 8n) | BigInt(byte);
  return BigInt.asIntN(8 * bigEndian.length, value);
}
