/** The words of TUS 1.0.0: its headers and its refusals, which are plain text with the true HTTP status. */
import { Buffer } from "node:buffer";

import type { Context } from "hono";

import { StorageApiError } from "./errors.ts";

/** The version that is spoken. */
export const tusVersion = "1.0.0";
const extensions = "creation,creation-with-upload,creation-defer-length,termination,expiration";
/** Content-Type of a part. */
export const chunkType = "application/offset+octet-stream";

/** A refusal in the way of TUS. */
export class TusError extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

/** Upload-Metadata: pairs of a name and a value in base64, parted by commas. */
export function parseMetadata(header: string): Map<string, string> {
  const pairs = header.split(",").map((pair) => pair.trim().split(/\s+/));
  return new Map(
    pairs.map(([name, value = ""]) => [name, Buffer.from(value, "base64").toString("utf8")]),
  );
}

/** Upload-Length. */
export function readLength(c: Context): number {
  const length = Number(c.req.header("upload-length") ?? NaN);
  if (Number.isSafeInteger(length) && length >= 0) return length;
  throw new TusError(400, "Upload-Length or Upload-Defer-Length header required");
}

/** Refuses a client of another version. */
export function requireVersion(c: Context): void {
  if (c.req.header("tus-resumable") !== tusVersion) {
    throw new TusError(412, "Tus-Resumable Required");
  }
}

/** Says until when an upload is kept. */
export function setExpiry(headers: Headers, { expiresAt }: { expiresAt: string }): void {
  headers.set("upload-expires", new Date(expiresAt).toUTCString());
}

/** The answer to OPTIONS. */
export function capabilities(maxBytes: number): Response {
  return new Response(null, {
    status: 204,
    headers: {
      "tus-version": tusVersion,
      "tus-extension": extensions,
      "tus-max-size": String(maxBytes),
    },
  });
}

/** More than was announced, or than the bucket takes. */
export function tooLarge(): TusError {
  return new TusError(413, "Maximum size exceeded");
}

/** The answer that an error stands for; other errors are thrown on. */
export function refusal(thrown: unknown): Response {
  if (thrown instanceof TusError) {
    return new Response(thrown.message + "\n", { status: thrown.status });
  }
  if (thrown instanceof StorageApiError) {
    return new Response(thrown.message, { status: thrown.statusCode });
  }
  throw thrown;
}
