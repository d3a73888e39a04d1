/** What every route of the stand-in works with. */
import type { Context } from "hono";

import type { Bucket, BucketTable } from "./buckets.ts";
import { StorageApiError } from "./errors.ts";
import type { Caller } from "./scope.ts";
import type { StoredObjects } from "./stored_objects.ts";
import type { TokenSigner } from "./signed_token.ts";

/** The parts of one stand-in. */
export interface Parts {
  objects: StoredObjects;
  buckets: BucketTable;
  signer: TokenSigner;
  /** The most bytes that any object may have. */
  maxObjectBytes: number;
  /** Seconds that a signed upload URL lives. */
  signedUploadSeconds: number;
  /** Whose faults are shown. */
  backend: "s3" | "file";
  /** Base URL of the API as clients see it, without a slash at the end. */
  publicUrl: () => string;
  /** The caller, or null when the request carries no valid key or token. */
  authorize: (request: Request) => Promise<Caller | null> | Caller | null;
}

/** The caller of a route that needs one. */
export async function requireCaller(parts: Parts, request: Request): Promise<Caller> {
  const caller = await parts.authorize(request);
  if (!caller) throw new StorageApiError("AccessDenied", "Invalid Compact JWS");
  return caller;
}

/** The most bytes that an object of a bucket may have. */
export function sizeLimit(parts: Parts, bucket: Bucket): number {
  return Math.min(bucket.file_size_limit ?? Infinity, parts.maxObjectBytes);
}

/**
 * Bucket and key in a route's path, decoded: an encoded slash is a slash of the key, as in the real API.
 * @param prefix the route's own path, such as `/object/sign`
 */
export function addressOf(c: Context, prefix: string): { bucket: string; key: string } {
  const path = new URL(c.req.url).pathname;
  const [bucket, ...key] = path.slice(path.indexOf(prefix + "/") + prefix.length + 1).split("/");
  return { bucket: decode(bucket), key: decode(key.join("/")) };
}

/**
 * Bucket and key as a signing route signs them. The real API decodes them with decodeURI, which leaves what
 * encodeURIComponent made of `+ @ $ & , : ; = ?`: such a URL opens nothing, so a client must send them as they are.
 */
export function pathToSign(c: Context, prefix: string): string {
  const path = new URL(c.req.url).pathname;
  try {
    return decodeURI(path.slice(path.indexOf(prefix + "/") + prefix.length + 1));
  } catch {
    throw new StorageApiError("InvalidKey", `Invalid key: ${path}`);
  }
}

/** The JSON body of a request, or `InvalidRequest`. */
export async function jsonBody(request: Request): Promise<Record<string, unknown>> {
  try {
    const body = await request.json();
    if (typeof body === "object" && body !== null) return body;
  } catch {
    // told below
  }
  throw new StorageApiError("InvalidRequest", "body must be object");
}

/** A string property of a body, or `InvalidRequest`. */
export function requireString(body: Record<string, unknown>, name: string): string {
  const value = body[name];
  if (typeof value === "string") return value;
  throw new StorageApiError("InvalidRequest", `body must have required property '${name}'`);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new StorageApiError("InvalidKey", `Invalid key: ${text}`);
  }
}
