import { SedimentError } from "../../../errors.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Strings seen before, by a hash of their bytes. Merges parse thousands of footers with the same names, and
 * comparing 10 bytes with a known string costs a tenth of decoding them. Bounded: 1,024 strings of 64 bytes.
 */
const seen: string[] = new Array(1024).fill("");

/** The UTF-8 string of `length` bytes from `start` on. Throws `invalid_parquet`. */
export function stringAt(bytes: Uint8Array, start: number, length: number): string {
  if (length > 64) return decode(bytes, start, length);
  let hash = length;
  for (let i = start; i < start + length; i++) hash = (Math.imul(hash, 31) + bytes[i]) | 0;
  const slot = (hash ^ (hash >>> 15)) & 1023;
  const candidate = seen[slot];
  if (candidate.length === length) {
    let i = 0;
    while (i < length && candidate.charCodeAt(i) === bytes[start + i]) i++;
    if (i === length && length > 0 && isAscii(bytes, start, length)) return candidate;
  }
  return seen[slot] = decode(bytes, start, length);
}

function decode(bytes: Uint8Array, start: number, length: number): string {
  try {
    return decoder.decode(bytes.subarray(start, start + length));
  } catch (cause) {
    throw new SedimentError("invalid_parquet", "a name or string of the metadata is not UTF-8", {
      cause,
    });
  }
}

function isAscii(bytes: Uint8Array, start: number, length: number): boolean {
  for (let i = start; i < start + length; i++) if (bytes[i] > 127) return false;
  return true;
}
