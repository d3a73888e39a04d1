/** The object in an upload request: the body itself, or the file of the multipart form that it is. */
import { Buffer } from "node:buffer";

import { StorageApiError } from "./errors.ts";
import { multipartBoundary, MultipartError, readMultipart } from "./multipart_body.ts";

/** An object on its way in. */
export interface IncomingObject {
  mimetype: string;
  cacheControl: string;
  userMetadata?: unknown;
  /** Throws `EntityTooLarge` once it has given more than the limit. */
  body: AsyncIterable<Uint8Array>;
}

const maxFieldBytes = 1024 * 1024;
const maxFields = 10;

/** The most that is read of a body after it was refused. */
const maxDrainedBytes = 256 * 1024 * 1024;

/**
 * Takes the object out of a request.
 * @param limit the most bytes that the object may have
 */
export async function readIncoming(request: Request, limit: number): Promise<IncomingObject> {
  const contentType = request.headers.get("content-type");
  const stream = bodyOf(request);
  if (contentType?.startsWith("multipart/form-data")) {
    const boundary = multipartBoundary(contentType);
    if (!boundary) throw new StorageApiError("InvalidRequest", "No content provided");
    return await readForm(stream, boundary, limit);
  }
  const declared = request.headers.get("content-length");
  const expected = declared === null ? undefined : Number(declared);
  if (expected !== undefined && expected > limit) throw new StorageApiError("EntityTooLarge");
  return {
    mimetype: contentType || "application/octet-stream",
    cacheControl: request.headers.get("cache-control") ?? "no-cache",
    userMetadata: parseJson(decodeBase64(request.headers.get("x-metadata"))),
    body: bounded(stream, limit, expected),
  };
}

async function readForm(
  stream: AsyncIterable<Uint8Array>,
  boundary: string,
  limit: number,
): Promise<IncomingObject> {
  const fields = new Map<string, string>();
  const parts = readMultipart(stream, boundary);
  try {
    for (let { value: part, done } = await parts.next(); !done && part;) {
      if (part.filename !== undefined) {
        const seconds = fields.get("cacheControl");
        return {
          mimetype: fields.get("contentType") ?? part.contentType ?? "application/octet-stream",
          cacheControl: seconds ? `max-age=${seconds}` : "no-cache",
          userMetadata: parseJson(fields.get("metadata") ?? fields.get("userMetadata")),
          body: bounded(throughEnd(part.body, parts), limit),
        };
      }
      if (fields.size === maxFields) break;
      fields.set(part.name, await readText(part.body));
      ({ value: part, done } = await parts.next());
    }
  } catch (thrown) {
    if (!(thrown instanceof MultipartError)) throw thrown;
    throw new StorageApiError("InvalidRequest", thrown.message, thrown);
  }
  throw new StorageApiError("InvalidRequest", "No content provided");
}

/** The file, and then the rest of the form: a form that breaks off behind the file isn't whole. */
async function* throughEnd(
  body: AsyncIterable<Uint8Array>,
  parts: AsyncIterator<unknown>,
): AsyncGenerator<Uint8Array> {
  yield* body;
  while (!(await parts.next()).done);
}

async function* bounded(
  body: AsyncIterable<Uint8Array>,
  limit: number,
  expected?: number,
): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    // What is over the limit is read and dropped: closing on a client that still writes hides the answer.
    if (size > limit + maxDrainedBytes) break;
    if (size <= limit) yield chunk;
  }
  if (size > limit) throw new StorageApiError("EntityTooLarge");
  if (expected !== undefined && size !== expected) {
    throw new StorageApiError("InvalidRequest", "The body ended early");
  }
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bounded(body, maxFieldBytes)) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function decodeBase64(text: string | null): string | undefined {
  return text === null ? undefined : Buffer.from(text, "base64").toString("utf8");
}

/** User metadata that isn't JSON is left out, as the real API does. */
function parseJson(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The body's bytes; a client that goes away midway is no fault of ours. */
export async function* bodyOf(request: Request): AsyncGenerator<Uint8Array> {
  try {
    yield* request.body ?? [];
  } catch (thrown) {
    throw new StorageApiError("InvalidRequest", "The body broke off", thrown);
  }
}

/** Reads what is left of a refused body, up to a bound: closing on a client that writes hides the answer. */
export async function drain(request: Request): Promise<void> {
  if (!request.body || request.body.locked) return;
  let left = maxDrainedBytes;
  try {
    for await (const chunk of request.body) {
      left -= chunk.byteLength;
      if (left < 0) return;
    }
  } catch {
    // the client went away
  }
}
