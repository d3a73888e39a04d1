/** A part of an object: `start` and `length` in bytes. */
export interface ByteRange {
  start: number;
  length: number;
}

/**
 * What a Range header asks of a body (RFC 9110 section 14). One range only: S3, which answers for the real
 * API, sends the whole body for several, and a header that can't be read is ignored.
 * @returns the range, `"unsatisfiable"` (416), or null for the whole body
 */
export function parseByteRange(
  header: string | null | undefined,
  size: number,
): ByteRange | "unsatisfiable" | null {
  const match = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return null;
  if (match[1] === "") {
    const length = Math.min(Number(match[2]), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, length };
  }
  const start = Number(match[1]);
  const end = match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (match[2] !== "" && Number(match[2]) < start) return null;
  return start >= size ? "unsatisfiable" : { start, length: end - start + 1 };
}
