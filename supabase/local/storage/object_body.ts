/** The answer to GET and HEAD: an object's headers, and its bytes or a range of them. */
import type { Context } from "hono";

import { parseByteRange } from "./byte_range.ts";
import type { Parts } from "./context.ts";
import { StorageApiError } from "./errors.ts";
import type { ObjectRow } from "./object_table.ts";
import type { OpenObject } from "./stored_objects.ts";

const chunkLength = 64 * 1024;
const wholeReadLimit = 256 * 1024;

/**
 * Answers with an object: Range, If-None-Match, `?download=NAME`. Closes its file.
 * @param expires for signed URLs: sent instead of Cache-Control
 * @throws InternalError for a range past the end, where the backend is S3
 */
export async function sendObject(
  c: Context,
  { backend }: Pick<Parts, "backend">,
  open: OpenObject,
  expires?: Date,
): Promise<Response> {
  const { row, file, size } = open;
  const headers = objectHeaders(row, expires, new URL(c.req.url).searchParams.get("download"));
  const range = parseByteRange(c.req.header("range"), size);
  const etag = row.metadata?.eTag;
  if (etag !== undefined && c.req.header("if-none-match") === etag) {
    file.close();
    return new Response(null, { status: 304, headers });
  }
  // The real API's HEAD knows no ranges.
  if (c.req.method === "HEAD") {
    file.close();
    headers.set("content-length", String(size));
    return new Response(null, { headers });
  }
  if (range === "unsatisfiable") {
    file.close();
    if (backend === "s3") throw new StorageApiError("InternalError");
    const refused = new StorageApiError("InvalidRange").toResponse();
    refused.headers.set("content-range", `bytes */${size}`);
    return refused;
  }
  const { start, length } = range ?? { start: 0, length: size };
  headers.set("content-length", String(length));
  if (range) headers.set("content-range", `bytes ${start}-${start + length - 1}/${size}`);
  return new Response(await rangeBody(file, start, length), {
    status: range ? 206 : 200,
    headers,
  });
}

/** Bytes [start, start + length) as a response body; closes the file at its end or on cancel. */
export async function rangeBody(
  file: Deno.FsFile,
  start: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>> {
  if (length <= wholeReadLimit) {
    try {
      return await readExactly(file, start, length);
    } finally {
      file.close();
    }
  }
  await file.seek(start, Deno.SeekMode.Start);
  let left = length;
  return new ReadableStream({
    async pull(controller) {
      const chunk = new Uint8Array(Math.min(chunkLength, left));
      const read = await file.read(chunk);
      if (read === null) throw new Error("the object's file ended early");
      controller.enqueue(chunk.subarray(0, read));
      left -= read;
      if (left === 0) {
        file.close();
        controller.close();
      }
    },
    cancel() {
      file.close();
    },
  }, { highWaterMark: 0 });
}

/** The headers that the row gives; SQL may have taken anything out of it. */
export function objectHeaders(row: ObjectRow, expires?: Date, saveAs?: string | null): Headers {
  const { mimetype = "application/octet-stream", eTag, cacheControl, lastModified } =
    row.metadata ?? {};
  const headers = new Headers({
    "accept-ranges": "bytes",
    "content-type": mimetype.includes("text/html") ? "text/plain" : mimetype,
    "last-modified": new Date(lastModified ?? row.updated_at).toUTCString(),
  });
  if (eTag !== undefined) headers.set("etag", eTag);
  if (expires) headers.set("expires", expires.toUTCString());
  else headers.set("cache-control", cacheControl ?? "no-cache");
  if (typeof saveAs === "string") {
    const name = encodeURIComponent(saveAs);
    headers.set(
      "content-disposition",
      name === "" ? "attachment;" : `attachment; filename=${name}; filename*=UTF-8''${name};`,
    );
  }
  return headers;
}

async function readExactly(
  file: Deno.FsFile,
  start: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (start > 0) await file.seek(start, Deno.SeekMode.Start);
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const read = await file.read(bytes.subarray(filled));
    if (read === null) throw new Error("the object's file ended early");
    filled += read;
  }
  return bytes;
}
