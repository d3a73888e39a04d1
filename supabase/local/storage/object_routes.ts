/** `/object/...`: upload, download, HEAD, info and deletion of single objects and of many. */
import type { Context, Hono } from "hono";

import { assertAllowedMimeType, requireBucket } from "./buckets.ts";
import { parseByteRange } from "./byte_range.ts";
import {
  addressOf,
  bucketForWriting,
  bypassesPolicies,
  jsonBody,
  type Parts,
  requireCaller,
  sizeLimit,
} from "./context.ts";
import { StorageApiError } from "./errors.ts";
import { readIncoming } from "./incoming_body.ts";
import { assertValidKey, isValidKey } from "./keys.ts";
import { type ObjectMeta, type OpenObject, rangeBody } from "./object_file.ts";

/** Adds the routes. */
export function addObjectRoutes(app: Hono, parts: Parts): void {
  app.delete("/object/:bucket", (c) => deleteMany(c, parts));

  app.get("/object/info/public/:bucket/*", (c) => info(c, parts, "/object/info/public", "public"));
  app.get(
    "/object/info/authenticated/:bucket/*",
    (c) => info(c, parts, "/object/info/authenticated", "caller"),
  );
  app.get("/object/info/:bucket/*", (c) => info(c, parts, "/object/info", "caller"));

  // Hono answers HEAD with the GET route; download looks at the method.
  app.get("/object/public/:bucket/*", (c) => download(c, parts, "/object/public", "public"));
  app.get(
    "/object/authenticated/:bucket/*",
    (c) => download(c, parts, "/object/authenticated", "caller"),
  );
  app.get("/object/:bucket/*", (c) => download(c, parts, "/object", "caller"));

  app.post("/object/:bucket/*", (c) => upload(c, parts, c.req.header("x-upsert") === "true"));
  app.put("/object/:bucket/*", (c) => upload(c, parts, true));
  app.delete("/object/:bucket/*", (c) => deleteOne(c, parts));
}

async function upload(c: Context, parts: Parts, upsert: boolean): Promise<Response> {
  const caller = await requireCaller(parts, c.req.raw);
  const { bucket, key } = addressOf(c, "/object");
  await bucketForWriting(parts, caller, bucket);
  const meta = await storeBody(parts, c.req.raw, { bucket, key, upsert, owner: caller.sub });
  return c.json({ Id: meta.id, Key: `${bucket}/${key}` });
}

/** Writes a request's body as an object, under the bucket's rules. */
export async function storeBody(
  parts: Parts,
  request: Request,
  to: { bucket: string; key: string; upsert: boolean; owner?: string },
): Promise<ObjectMeta> {
  const bucket = await requireBucket(parts.buckets, to.bucket);
  assertValidKey(to.key);
  if (!to.upsert && await parts.folder.head(to.bucket, to.key)) {
    throw new StorageApiError("KeyAlreadyExists");
  }
  const { body, ...facts } = await readIncoming(request, sizeLimit(parts, bucket));
  assertAllowedMimeType(bucket, facts.mimetype);
  return await parts.folder.write(to.bucket, to.key, body, { ...facts, owner: to.owner });
}

type Reader = "public" | "caller";

async function openReadable(
  parts: Parts,
  request: Request,
  { bucket: id, key }: { bucket: string; key: string },
  reader: Reader,
): Promise<OpenObject> {
  const bucket = await requireBucket(parts.buckets, id);
  if (!bucket.public) {
    const caller = reader === "public" ? null : await parts.authorize(request);
    if (!caller) throw new StorageApiError("NoSuchBucket");
    if (!bypassesPolicies(caller)) throw new StorageApiError("NoSuchKey");
  }
  const open = isValidKey(key) ? await parts.folder.open(id, key) : null;
  if (!open) throw new StorageApiError("NoSuchKey");
  return open;
}

async function info(c: Context, parts: Parts, prefix: string, reader: Reader): Promise<Response> {
  const address = addressOf(c, prefix);
  const { meta, file } = await openReadable(parts, c.req.raw, address, reader);
  file.close();
  return c.json({
    id: meta.id,
    name: address.key,
    version: meta.version,
    bucket_id: address.bucket,
    size: meta.size,
    content_type: meta.mimetype,
    cache_control: meta.cacheControl,
    etag: `"${meta.md5}"`,
    metadata: meta.userMetadata ?? null,
    last_modified: meta.lastModified,
    created_at: meta.createdAt,
  });
}

async function download(
  c: Context,
  parts: Parts,
  prefix: string,
  reader: Reader,
): Promise<Response> {
  const open = await openReadable(parts, c.req.raw, addressOf(c, prefix), reader);
  return await sendObject(c, open);
}

/**
 * Answers GET and HEAD with an object: Range, If-None-Match, `?download=NAME`.
 * @param expires for signed URLs: sent instead of Cache-Control
 */
export async function sendObject(c: Context, open: OpenObject, expires?: Date): Promise<Response> {
  const { meta, file } = open;
  const headers = objectHeaders(meta, expires, new URL(c.req.url).searchParams.get("download"));
  const range = parseByteRange(c.req.header("range"), meta.size);
  if (c.req.header("if-none-match") === `"${meta.md5}"`) {
    file.close();
    return new Response(null, { status: 304, headers });
  }
  // The real API's HEAD knows no ranges.
  if (c.req.method === "HEAD") {
    file.close();
    headers.set("content-length", String(meta.size));
    return new Response(null, { headers });
  }
  if (range === "unsatisfiable") {
    file.close();
    const refused = new StorageApiError("InvalidRange").toResponse();
    refused.headers.set("content-range", `bytes */${meta.size}`);
    return refused;
  }
  const { start, length } = range ?? { start: 0, length: meta.size };
  headers.set("content-length", String(length));
  if (range) headers.set("content-range", `bytes ${start}-${start + length - 1}/${meta.size}`);
  return new Response(await rangeBody(open, start, length), { status: range ? 206 : 200, headers });
}

function objectHeaders(meta: ObjectMeta, expires?: Date, saveAs?: string | null): Headers {
  const headers = new Headers({
    "accept-ranges": "bytes",
    "content-type": meta.mimetype.includes("text/html") ? "text/plain" : meta.mimetype,
    "etag": `"${meta.md5}"`,
    "last-modified": new Date(meta.lastModified).toUTCString(),
  });
  if (expires) headers.set("expires", expires.toUTCString());
  else headers.set("cache-control", meta.cacheControl);
  if (typeof saveAs === "string") {
    const name = encodeURIComponent(saveAs);
    headers.set(
      "content-disposition",
      name === "" ? "attachment;" : `attachment; filename=${name}; filename*=UTF-8''${name};`,
    );
  }
  return headers;
}

async function deleteOne(c: Context, parts: Parts): Promise<Response> {
  const caller = await requireCaller(parts, c.req.raw);
  const { bucket, key } = addressOf(c, "/object");
  const visible = bypassesPolicies(caller) && isValidKey(key);
  if (!visible || !await parts.folder.delete(bucket, key)) throw new StorageApiError("NoSuchKey");
  return c.json({ message: "Successfully deleted" });
}

/** Deletes what is there of the given keys and tells which; the rest is no error. */
async function deleteMany(c: Context, parts: Parts): Promise<Response> {
  const caller = await requireCaller(parts, c.req.raw);
  const bucket = c.req.param("bucket")!;
  const { prefixes } = await jsonBody(c.req.raw);
  if (!Array.isArray(prefixes) || prefixes.length === 0 || prefixes.length > 1000) {
    throw new StorageApiError("InvalidRequest", "body/prefixes must hold 1 to 1000 keys");
  }
  const deleted: unknown[] = [];
  for (const key of bypassesPolicies(caller) ? prefixes : []) {
    const meta = typeof key === "string" && isValidKey(key)
      ? await parts.folder.delete(bucket, key)
      : null;
    if (meta) deleted.push(objectRow(bucket, key, meta));
  }
  return c.json(deleted);
}

/** An object as a row of `storage.objects`. */
export function objectRow(bucket: string, key: string, meta: ObjectMeta) {
  return {
    name: key,
    bucket_id: bucket,
    id: meta.id,
    version: meta.version,
    owner: meta.owner ?? null,
    updated_at: meta.lastModified,
    created_at: meta.createdAt,
    last_accessed_at: meta.createdAt,
    metadata: {
      eTag: `"${meta.md5}"`,
      size: meta.size,
      mimetype: meta.mimetype,
      cacheControl: meta.cacheControl,
      lastModified: meta.lastModified,
      contentLength: meta.size,
      httpStatusCode: 200,
    },
    user_metadata: meta.userMetadata ?? null,
  };
}
