/**
 * Splits multipart/form-data (RFC 7578, RFC 2046 §5.1.1) that is written the plain way, without a look at each
 * byte of a file. The runtime's own parser still decides on all that is written otherwise.
 */
import { Buffer } from "node:buffer";

/** One part of a form. */
export interface PlainPart {
  name: string;
  /** Whether it has a file name. */
  isFile: boolean;
  /** The bytes, a view of the body. */
  bytes: Uint8Array;
}

/** A boundary as clients make them, quoted or not, and no parameter beside it. */
const plainType =
  /^multipart\/form-data;\s*boundary=(?:"([\w'()+,./:=?-]{1,70})"|([\w'+.-]{1,70}))$/i;
/** The whole header, with nothing escaped, encoded or unknown in it. */
const plainDisposition =
  /^content-disposition: *form-data; *name="([\w .-]{1,100})"(; *filename="[\w .()-]{0,255}")?$/i;
const plainContentType = /^content-type: *[\w.+-]+\/[\w.+-]+(?:; *charset=utf-8)?$/i;

/** Headers that are longer are not plain. */
const maxHeaderBytes = 1000;

/** More parts than any route has: 8 MB of the shortest ones took seconds. */
const maxParts = 64;

/**
 * The parts in order, or undefined when anything is out of the ordinary: then nothing is known about the body.
 *
 * @param contentType the request's Content-Type
 */
export function splitMultipart(contentType: string, body: Uint8Array): PlainPart[] | undefined {
  const type = plainType.exec(contentType);
  const boundary = type?.[1] ?? type?.[2];
  if (boundary === undefined) return undefined;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const delimiter = Buffer.from(`\r\n--${boundary}`, "latin1");
  // No preamble: the body begins with the delimiter, but for its line break.
  if (!bytes.subarray(0, delimiter.length - 2).equals(delimiter.subarray(2))) return undefined;
  const find = finder(delimiter);
  const parts: PlainPart[] = [];
  let at = delimiter.length - 2;
  while (true) {
    const mark = bytes.toString("latin1", at, at + 2);
    at += 2;
    if (mark === "--") {
      // No epilogue either, but for a last line break.
      const rest = bytes.toString("latin1", at, at + 3);
      return rest === "" || rest === "\r\n" ? parts : undefined;
    }
    if (mark !== "\r\n") return undefined;
    const headersEnd = bytes.subarray(at, at + maxHeaderBytes).indexOf("\r\n\r\n", 0, "latin1");
    if (headersEnd < 0) return undefined;
    const head = plainHeaders(bytes.toString("latin1", at, at + headersEnd));
    if (head === undefined) return undefined;
    at += headersEnd + 4;
    const end = find(body, at);
    if (end < 0) return undefined;
    if (parts.length === maxParts) return undefined;
    parts.push({ ...head, bytes: body.subarray(at, end) });
    at = end + delimiter.length;
  }
}

/** Whether a body holds more delimiters than a form has that is not made to keep a parser busy. */
export function holdsManyParts(contentType: string, body: Uint8Array): boolean {
  const [, quoted, bare] = /boundary=(?:"([^"]{1,200})"|([^;\s"]{1,200}))/i.exec(contentType) ?? [];
  const boundary = quoted ?? bare;
  if (boundary === undefined) return false;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const delimiter = Buffer.from(`--${boundary}`, "utf8");
  let count = 0;
  for (let at = bytes.indexOf(delimiter); at >= 0; at = bytes.indexOf(delimiter, at + 1)) {
    if (++count > maxParts + 1) return true;
  }
  return false;
}

function plainHeaders(text: string): Omit<PlainPart, "bytes"> | undefined {
  const [first, second, ...more] = text.split("\r\n");
  const disposition = plainDisposition.exec(first!);
  if (disposition === null || more.length > 0) return undefined;
  if (second !== undefined && !plainContentType.test(second)) return undefined;
  const isFile = disposition[2] !== undefined;
  // A field with a type of its own is a matter for the parser.
  if (second !== undefined && !isFile) return undefined;
  return { name: disposition[1]!, isFile };
}

/**
 * Horspool's search: mostly a whole pattern's length a step. Comparing forward keeps it linear for any body: a
 * delimiter's first byte, CR, is nowhere else in it, so what was compared is not compared again.
 */
function finder(pattern: Uint8Array): (body: Uint8Array, from: number) => number {
  const last = pattern.length - 1;
  const skip = new Uint8Array(256).fill(pattern.length);
  for (let n = 0; n < last; n++) skip[pattern[n]!] = last - n;
  return (body, from) => {
    for (let at = from; at + last < body.length; at += skip[body[at + last]!]!) {
      let same = 0;
      while (same <= last && body[at + same] === pattern[same]) same++;
      if (same > last) return at;
    }
    return -1;
  };
}
