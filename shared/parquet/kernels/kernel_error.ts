import type { SedimentError } from "../../errors.ts";
import { parquetError, type ParquetErrorCode, type ParquetPlace } from "../format/parquet_error.ts";

type Say = (a: number, b: number) => string;

/** assembly/errors.ts, code by code: what the error is to the world, and in words. */
const errors: Record<number, [ParquetErrorCode, Say]> = {
  1: ["invalid_parquet", (at) => `the bytes at ${at} of the chunk are no page header`],
  2: [
    "invalid_parquet",
    (size, left) => `the page declares ${size} bytes, and the chunk has ${left} left`,
  ],
  3: ["page_too_large", (size, limit) => `the page takes ${size} bytes, over the ${limit} allowed`],
  4: ["invalid_parquet", (crc) => `the page's bytes do not have the CRC ${crc >>> 0}`],
  5: ["invalid_parquet", (a, b) => `the page does not decompress as declared (${a}, ${b})`],
  6: ["invalid_parquet", (a, b) => `the levels run past the page (${a}, ${b})`],
  7: ["invalid_parquet", (level, max) => `level ${level} is over the column's highest ${max}`],
  8: ["invalid_parquet", (a, b) => `the values run past the page (${a} of ${b})`],
  9: [
    "invalid_parquet",
    (index, count) => `the index ${index} is past the dictionary's ${count} entries`,
  ],
  10: ["invalid_parquet", () => "values are dictionary indices, and there is no dictionary page"],
  11: ["unsupported_parquet", (encoding) => `the encoding ${encoding} is not known here`],
  12: [
    "invalid_parquet",
    (a, b) => `the pages hold another count of values than the chunk (${a}, ${b})`,
  ],
  13: [
    "invalid_parquet",
    (a, b) => `the pages hold another count of rows than the row group (${a}, ${b})`,
  ],
  14: ["invalid_parquet", () => "the chunk begins inside of a row"],
  15: ["page_too_large", (size) => `there is no memory for ${size} bytes`],
  16: ["unsupported_parquet", (codec) => `the codec ${codec} is not known here`],
  17: ["invalid_parquet", () => "a dictionary page stands behind another page"],
  18: [
    "invalid_parquet",
    (rows, nulls) =>
      `the V2 header's rows and nulls are not the ${rows} and ${nulls} of the levels`,
  ],
  19: [
    "page_too_large",
    (count, limit) => `the page declares ${count} values, over the ${limit} allowed`,
  ],
  20: ["schema_incompatible", (value) => `the value ${value} does not fit the wider type`],
  21: ["invalid_parquet", (a, b) => `the delta-encoded or split values are broken (${a}, ${b})`],
  24: ["invalid_parquet", (index) => `text ${index} of the page or dictionary is not UTF-8`],
  25: [
    "invalid_parquet",
    (rep, def) =>
      `the levels go on with a list where it has no entry (repetition level ${rep} at definition level ${def})`,
  ],
  26: ["unsupported_parquet", () => "the page is not one that all readers read, and is not copied"],
};

/** The kernels' own error codes that a caller acts on. */
export const kernelErrors = {
  badHeader: 1,
  pagePastChunk: 2,
  badCrc: 4,
  unknownEncoding: 11,
  outOfMemory: 15,
  unknownCodec: 16,
  siblingDiffers: 23,
  notCopied: 26,
} as const;

/** A kernel's error as one that names its place. */
export function kernelError(
  code: number,
  a: number,
  b: number,
  place: ParquetPlace,
): SedimentError {
  const [kind, say] = errors[code] ?? ["invalid_parquet", () => `kernel error ${code}`];
  return parquetError(kind, say(a, b), place);
}
