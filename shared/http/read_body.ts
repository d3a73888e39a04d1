/** Reads a request's body into memory under bounds of size, silence and time. */
import { SedimentError } from "../errors.ts";
import { drain } from "./drain.ts";

/** Bounds of {@link readBody}. */
export interface BodyLimits {
  /** Bytes; a longer body is `body_too_large` and is not held. */
  maxBytes: number;
  /** Milliseconds between two chunks, else `body_stalled`. @default 10000 */
  stallMs?: number;
  /** Milliseconds for the whole body, else `body_stalled`. @default 60000 */
  deadlineMs?: number;
}

/**
 * The declared length of a body, or undefined when the header is absent.
 *
 * @throws SedimentError `invalid_request` when the header is not a whole number
 */
export function declaredLength(headers: Headers): number | undefined {
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

/**
 * The whole body. Content-Length is only a hint for the first allocation, which it can't push past
 * `maxBytes`; what counts is what arrives.
 *
 * @throws SedimentError `body_too_large`, `body_stalled`, `invalid_request` when the body breaks off or is
 *   not as long as Content-Length says
 */
export async function readBody(request: Request, limits: BodyLimits): Promise<Uint8Array> {
  const { maxBytes, stallMs = 10_000, deadlineMs = 60_000 } = limits;
  const declared = declaredLength(request.headers);
  if (declared !== undefined && declared > maxBytes) {
    await drain(request.body);
    throw tooLarge(declared, maxBytes);
  }
  if (request.body === null) return new Uint8Array(0);
  const reader = request.body.getReader();
  const deadline = Date.now() + deadlineMs;
  let buffer = new Uint8Array(Math.min(declared ?? 64 * 1024, maxBytes));
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
    const chunk = next.value;
    if (length + chunk.byteLength > maxBytes) {
      await drain(reader);
      throw tooLarge(declared, maxBytes);
    }
    if (length + chunk.byteLength > buffer.byteLength) {
      const larger = new Uint8Array(
        Math.min(maxBytes, Math.max(buffer.byteLength * 2, length + chunk.byteLength)),
      );
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

function tooLarge(declared: number | undefined, maxBytes: number): SedimentError {
  const seen = declared === undefined ? `more than ${maxBytes}` : String(declared);
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
