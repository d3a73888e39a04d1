/** Reads a request's body into memory under bounds of size, silence and time. */
import { SedimentError } from "../errors.ts";
import { drain } from "./drain.ts";

/** Bounds of {@link readBody}. */
export interface BodyLimits {
  /** Bytes; a longer body is `body_too_large` and is not held. */
  maxBytes: number;
  /** What the body was said to have, bytes: of a longer one no more is read, it is `size_mismatch`. */
  exactBytes?: number;
  /** Milliseconds between two chunks, else `body_stalled`. @default 10000 */
  stallMs?: number;
  /** Milliseconds for the whole body, else `body_stalled`. @default 60000 */
  deadlineMs?: number;
  /**
   * Told of each chunk: a promise where the next one is to wait, for no fault of the sender's: that time is given to it, up to
   * deadlineMs. @default none waits
   */
  pace?(bytes: number): Promise<void> | undefined;
}

/**
 * The declared length of a body, or undefined when the header is absent.
 *
 * @throws SedimentError `invalid_request` when the header is not a whole number
 */
function declaredLength(headers: Headers): number | undefined {
  const text = headers.get("content-length");
  if (text === null) return undefined;
  const length = Number(text);
  if (!/^\d{1,15}$/.test(text)) {
    throw new SedimentError("invalid_request", `Content-Length is "${text.slice(0, 40)}"`, {
      field: "content-length",
      expected: "a whole number of bytes",
    });
  }
  return length;
}

/** Memory that a Content-Length gets before its bytes are there: many slow senders must not fill an isolate. */
const firstBytes = 256 * 1024;

/**
 * The whole body. Content-Length is only a hint for the first allocation; what counts is what arrives.
 *
 * @throws SedimentError `body_too_large`, `size_mismatch`, `body_stalled`, `invalid_request` when the body is
 *   compressed, breaks off or is not as long as Content-Length says
 */
export async function readBody(request: Request, limits: BodyLimits): Promise<Uint8Array> {
  const { stallMs = 10_000, deadlineMs = 60_000 } = limits;
  const maxBytes = Math.min(limits.maxBytes, limits.exactBytes ?? Infinity);
  refuseCoding(request.headers);
  const declared = declaredLength(request.headers);
  if (declared !== undefined && declared > maxBytes) {
    await drain(request.body);
    throw tooLong(declared, limits);
  }
  if (request.body === null) return new Uint8Array(0);
  const reader = request.body.getReader();
  const last = Date.now() + 2 * deadlineMs;
  let deadline = Date.now() + deadlineMs;
  let buffer = new Uint8Array(0);
  let length = 0;
  while (true) {
    const wait = Math.min(stallMs, deadline - Date.now());
    const next = await readWithin(reader, wait);
    if (next === "late") {
      // A body that stopped can't be drained; cancelling frees the connection.
      reader.cancel().catch(() => {});
      throw new SedimentError("body_stalled", `The body stopped after ${length} bytes`, {
        field: "body",
        expected: `a chunk every ${stallMs} ms and all of it within ${deadlineMs} ms`,
      });
    }
    if (next === "broken") {
      throw new SedimentError("invalid_request", `The body broke off after ${length} bytes`, {
        field: "body",
        expected: declared === undefined ? "a complete body" : `${declared} bytes`,
      });
    }
    if (next.done) break;
    const chunk = next.value as Uint8Array<ArrayBuffer>;
    if (length + chunk.byteLength > maxBytes) {
      await drain(reader);
      throw tooLong(declared, limits);
    }
    const begun = Date.now(), pacing = limits.pace?.(chunk.byteLength);
    if (pacing !== undefined) {
      await pacing;
      // held no longer than that: who sends many at once holds much
      deadline = Math.min(deadline + Date.now() - begun, last);
    }
    if (length === 0 && isWhole(chunk, declared)) {
      // Most bodies come in one piece, which then needs no copy.
      buffer = chunk;
      length = chunk.byteLength;
      continue;
    }
    if (length + chunk.byteLength > buffer.byteLength) {
      const hint = length === 0
        ? Math.min(declared ?? 64 * 1024, firstBytes)
        // what is declared is believed as far as some of it has come
        : Math.min(declared ?? buffer.byteLength * 2, buffer.byteLength * 4);
      const larger = new Uint8Array(Math.min(maxBytes, Math.max(hint, length + chunk.byteLength)));
      larger.set(buffer.subarray(0, length));
      buffer = larger;
    }
    buffer.set(chunk, length);
    length += chunk.byteLength;
  }
  if (declared !== undefined && length !== declared) {
    throw new SedimentError("invalid_request", `The body has ${length} bytes`, {
      field: "content-length",
      expected: `${declared} bytes, as Content-Length says`,
    });
  }
  return buffer.byteLength === length ? buffer : buffer.subarray(0, length);
}

/** Whether a chunk is all of a body, and keeps hardly more memory than that. */
function isWhole(chunk: Uint8Array, declared: number | undefined): boolean {
  return chunk.byteLength === declared && chunk.byteLength * 2 >= chunk.buffer.byteLength;
}

/** Nothing is decompressed here; in silence its hash or its format would be called wrong. */
function refuseCoding(headers: Headers): void {
  const coding = headers.get("content-encoding") ?? "";
  if (!/\b(gzip|compress|deflate|br|zstd)\b/i.test(coding)) return;
  throw new SedimentError("invalid_request", `The body is encoded as ${coding.slice(0, 40)}`, {
    field: "content-encoding",
    expected: "the bytes themselves",
  });
}

function tooLong(
  declared: number | undefined,
  { maxBytes, exactBytes = Infinity }: BodyLimits,
): SedimentError {
  const least = Math.min(maxBytes, exactBytes);
  const seen = declared === undefined ? `more than ${least}` : String(declared);
  if (exactBytes < maxBytes && (declared ?? 0) <= maxBytes) {
    return new SedimentError("size_mismatch", `The body has ${seen} bytes`, {
      field: "file_size",
      expected: `${exactBytes} bytes, as file_size says`,
    });
  }
  return new SedimentError("body_too_large", `The body has ${seen} bytes`, {
    field: "body",
    expected: `at most ${maxBytes} bytes`,
    extra: { max_bytes: maxBytes },
  });
}

async function readWithin(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  ms: number,
): Promise<ReadableStreamReadResult<Uint8Array> | "late" | "broken"> {
  if (ms <= 0) return "late";
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    return await Promise.race([
      reader.read(),
      new Promise<"late">((resolve) => timer = setTimeout(() => resolve("late"), ms)),
    ]);
  } catch {
    return "broken";
  } finally {
    clearTimeout(timer);
  }
}
