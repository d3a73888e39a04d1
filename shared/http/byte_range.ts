/** `Range: bytes=…` of RFC 9110 section 14, for one range. */
import { SedimentError } from "../errors.ts";

/** Part of a representation, in bytes. */
export interface ByteRange {
  start: number;
  length: number;
}

/**
 * Which bytes a Range header asks for.
 *
 * @param header the header, or null
 * @param size length of the whole, bytes
 * @returns the range, or undefined when all of it is to be sent: no header, another unit, several ranges or
 *   a malformed one (a server may ignore those, section 14.2)
 * @throws SedimentError `range_not_satisfiable` when the range lies outside
 */
export function parseRange(header: string | null, size: number): ByteRange | undefined {
  const match = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header ?? "");
  if (match === null || (match[1] === "" && match[2] === "")) return undefined;
  const first = match[1] === "" ? undefined : Number(match[1]);
  const last = match[2] === "" ? undefined : Number(match[2]);
  if (first === undefined) {
    const suffix = Math.min(last!, size);
    if (suffix === 0) throw outside(header!, size);
    return { start: size - suffix, length: suffix };
  }
  if (last !== undefined && last < first) return undefined;
  if (first >= size) throw outside(header!, size);
  const end = Math.min(last ?? size - 1, size - 1);
  return { start: first, length: end - first + 1 };
}

function outside(header: string, size: number): SedimentError {
  return new SedimentError("range_not_satisfiable", `The range "${header}" is outside`, {
    field: "range",
    expected: `a range within ${size} bytes`,
    extra: { size },
  });
}
