/**
 * Reads multipart/form-data (RFC 7578, RFC 2046 section 5.1) as a stream: supabase-js turns every Blob into
 * it, and `Request.formData()` would hold the whole file.
 */

/** One part: its headers and, until the next part is asked for, its bytes. */
export interface MultipartPart {
  /** The `name` of its Content-Disposition. */
  name: string;
  /** The `filename`; a part without one is a field. */
  filename?: string;
  contentType?: string;
  body: AsyncGenerator<Uint8Array>;
}

/** The body isn't multipart of the given boundary. */
export class MultipartError extends Error {}

const maxHeaderBytes = 16 * 1024;
const crlf = new Uint8Array([13, 10]);
const blankLine = new Uint8Array([13, 10, 13, 10]);

/** The boundary parameter of a content type, or null. */
export function multipartBoundary(contentType: string | null): string | null {
  const match = /^multipart\/form-data\s*;.*\bboundary=(?:"([^"]+)"|([^;\s]+))/i.exec(
    contentType ?? "",
  );
  return match ? match[1] ?? match[2] : null;
}

/** The parts in order. A part's body is read to its end or not at all before the next part is taken. */
export async function* readMultipart(
  body: AsyncIterable<Uint8Array>,
  boundary: string,
): AsyncGenerator<MultipartPart> {
  const bytes = new ByteQueue(body);
  const delimiter = new TextEncoder().encode("\r\n--" + boundary);
  // The first delimiter stands at the very start, or after a preamble that nobody sends.
  if (!await bytes.startsWith(delimiter.subarray(2))) {
    throw new MultipartError("the body does not begin with its boundary");
  }
  bytes.drop(delimiter.length - 2);
  while (true) {
    const after = await bytes.take(2);
    if (after[0] === 45 && after[1] === 45) return; // "--"
    if (after[0] !== 13 || after[1] !== 10) throw new MultipartError("a boundary line is broken");
    // Headers may be none: then the blank line is only the one CRLF more.
    const headers = await bytes.startsWith(crlf)
      ? (bytes.drop(2), new Uint8Array())
      : await bytes.takeUntil(blankLine, maxHeaderBytes);
    const content = bytes.untilDelimiter(delimiter);
    yield { ...parseHeaders(new TextDecoder().decode(headers)), body: content };
    for await (const _rest of content);
  }
}

function parseHeaders(text: string): Omit<MultipartPart, "body"> {
  const headers = new Map(
    text.split("\r\n").map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const disposition = headers.get("content-disposition") ?? "";
  const parameter = (name: string) =>
    new RegExp(`[;\\s]${name}="((?:[^"\\\\]|\\\\.)*)"`, "i").exec(disposition)?.[1];
  const name = parameter("name");
  if (name === undefined) throw new MultipartError("a part has no name");
  return { name, filename: parameter("filename"), contentType: headers.get("content-type") };
}

/** Bytes of a stream with as much looked ahead as a delimiter needs. */
class ByteQueue {
  readonly #source: AsyncIterator<Uint8Array>;
  #buffer = new Uint8Array();

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async startsWith(wanted: Uint8Array): Promise<boolean> {
    await this.#fill(wanted.length);
    return wanted.every((byte, i) => this.#buffer[i] === byte);
  }

  drop(length: number): void {
    this.#buffer = this.#buffer.subarray(length);
  }

  async take(length: number): Promise<Uint8Array> {
    await this.#fill(length);
    const taken = this.#buffer.slice(0, length);
    this.drop(length);
    return taken;
  }

  /** What comes before a mark; the mark is dropped. */
  async takeUntil(mark: Uint8Array, limit: number): Promise<Uint8Array> {
    while (true) {
      const at = indexOf(this.#buffer, mark);
      if (at >= 0) {
        const taken = this.#buffer.slice(0, at);
        this.drop(at + mark.length);
        return taken;
      }
      if (this.#buffer.length > limit) throw new MultipartError("a part's headers are too long");
      await this.#more();
    }
  }

  /** What comes before the delimiter, in chunks; the delimiter is dropped. */
  async *untilDelimiter(delimiter: Uint8Array): AsyncGenerator<Uint8Array> {
    while (true) {
      const at = indexOf(this.#buffer, delimiter);
      if (at >= 0) {
        const last = this.#buffer.subarray(0, at);
        this.drop(at + delimiter.length);
        if (last.length > 0) yield last;
        return;
      }
      // All but a possible beginning of the delimiter is the part's.
      const sure = this.#buffer.length - delimiter.length + 1;
      if (sure > 0) {
        const chunk = this.#buffer.subarray(0, sure);
        this.drop(sure);
        yield chunk;
      }
      await this.#more();
    }
  }

  async #fill(length: number): Promise<void> {
    while (this.#buffer.length < length) await this.#more();
  }

  async #more(): Promise<void> {
    const { done, value } = await this.#source.next();
    if (done) throw new MultipartError("the body ends inside a part");
    const joined = new Uint8Array(this.#buffer.length + value.length);
    joined.set(this.#buffer);
    joined.set(value, this.#buffer.length);
    this.#buffer = joined;
  }
}

/** Index of a short sequence in bytes, or -1. */
function indexOf(bytes: Uint8Array, wanted: Uint8Array): number {
  for (
    let at = bytes.indexOf(wanted[0]);
    at >= 0 && at + wanted.length <= bytes.length;
    at = bytes.indexOf(wanted[0], at + 1)
  ) {
    let matched = 1;
    while (matched < wanted.length && bytes[at + matched] === wanted[matched]) matched++;
    if (matched === wanted.length) return at;
  }
  return -1;
}
