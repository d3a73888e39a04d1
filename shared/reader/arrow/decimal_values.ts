/** Decimals in Arrow's storage: two's complement, little-endian, 128 or 256 bits. */
import { physicalType, type SchemaElement } from "../../parquet/format/metadata.ts";
import { parquetError } from "../../parquet/format/parquet_error.ts";
import type { SchemaNode } from "../../parquet/format/schema.ts";

/** Decimals of one width: INT32 and INT64 are little-endian, fixed bytes big-endian (LogicalTypes.md, DECIMAL). */
export function widenDecimals(
  values: Uint8Array<ArrayBuffer>,
  { type, typeLength }: Pick<SchemaElement, "type" | "typeLength">,
  length: number,
  bits: number,
): Uint32Array {
  const words = bits / 32;
  const result = new Int32Array(words * length);
  if (type === physicalType.INT32 || type === physicalType.INT64) {
    const stored = new Int32Array(values.buffer);
    const taken = type === physicalType.INT32 ? 1 : 2;
    for (let i = 0; i < length; i++) {
      const at = i * words;
      let last = 0;
      for (let k = 0; k < taken; k++) result[at + k] = last = stored[i * taken + k];
      if (last < 0) result.fill(-1, at + taken, at + words);
    }
  } else {
    const bytes = new Uint8Array(result.buffer);
    const width = typeLength!;
    for (let i = 0; i < length; i++) {
      turnAround(values, i * width, width, bytes, i * 4 * words, 4 * words);
    }
  }
  return new Uint32Array(result.buffer);
}

/** Decimals in byte arrays. Throws `unsupported_parquet` for one that does not fit. */
export function widenTexts(
  values: Uint8Array,
  offsets: Int32Array,
  bits: number,
  leaf: SchemaNode,
): Uint32Array {
  const width = bits / 8, length = offsets.length - 1;
  const result = new Uint8Array(width * length);
  for (let i = 0; i < length; i++) {
    const start = offsets[i];
    if (!turnAround(values, start, offsets[i + 1] - start, result, i * width, width)) {
      throw parquetError(
        "unsupported_parquet",
        `a decimal of ${offsets[i + 1] - start} bytes does not fit the ${width} of its precision`,
        { column: leaf.path },
      );
    }
  }
  return new Uint32Array(result.buffer);
}

/** Writes a big-endian number as a little-endian one of `width` bytes; false when it does not fit. */
function turnAround(
  source: Uint8Array,
  start: number,
  length: number,
  target: Uint8Array,
  at: number,
  width: number,
): boolean {
  if (length === 0) return true;
  const sign = source[start] > 127 ? 255 : 0;
  const taken = Math.min(length, width);
  for (let k = 0; k < taken; k++) target[at + k] = source[start + length - 1 - k];
  if (sign !== 0) target.fill(255, at + taken, at + width);
  if (length <= width) return true;
  for (let k = 0; k < length - width; k++) if (source[start + k] !== sign) return false;
  return (target[at + width - 1] > 127 ? 255 : 0) === sign;
}
