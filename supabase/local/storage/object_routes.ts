/** `/object/...`: upload, download, HEAD, info and deletion of single objects and of many. */
import type { Context, Hono } from "hono";

import { assertAllowedMimeType, requireBucket } from "./buckets.ts";
import { addressOf, jsonBody, type Parts, requireCaller, sizeLimit } from "./context.ts";
import { StorageApiError } from "./errors.ts";
import { readIncoming } from "./incoming_body.ts";
import { assertValidKey, isValidKey } from "./keys.ts";
import { sendObject } from "./object_body.ts";
import type { Address, ObjectRow } from "./object_table.ts";
import { type Operation, type Scope, scopeOf, serviceScope } from "./scope.ts";

/** Adds the routes. */
export function addObjectRoutes(app: Hono, parts: Parts): void {
  app.delete("/object/:bucket", (c) => deleteMany(c, parts));

  app.get("/object/info/public/:bucket/*", (c) => info(c, parts, "/object/info/public", "public"));
  app.get(
    "/object/info/authenticated/:bucket/*",
    (c) => info(c, parts, "/object/info/authenticated", "caller"),
  );
  app.get("/object/info/:bucket/*", (c) => info(c, parts, "/object/info", "caller"));

  // Hono answers HEAD with the GET route; sendObject looks at the method.
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
  const put = c.req.method === "PUT";
  const scope = scopeOf(caller, put ? "storage.object.upload_update" : "storage.object.upload");
  const id = await storeBody(parts, c.req.raw, scope, { bucket, key, upsert, owner: caller.sub });
  return c.json({ Id: id, Key: `${bucket}/${key}` });
}

/** Writes a request's body as an object, under the bucket's rules and its policies. Returns the row's id. */
export async function storeBody(
  parts: Parts,
  request: Request,
  scope: Scope,
  to: Address & { upsert: boolean; owner?: string },
): Promise<string> {
  const bucket = await requireBucket(parts.buckets, to.bucket);
  assertValidKey(to.key);
  await parts.objects.table.mayUpload(scope, to);
  const { body, ...facts } = await readIncoming(request, sizeLimit(parts, bucket));
  assertAllowedMimeType(bucket, facts.mimetype);
  const { objects } = parts;
  return await objects.put(
    scope.operation,
    to,
    facts,
    (version) => objects.folder.write(version, body),
  );
}

type Reader = "public" | "caller";

/** The scope that an object is read in: an object of a public bucket needs no policy, and no caller. */
async function readingScope(
  parts: Parts,
  request: Request,
  { bucket: id, key }: Address,
  reader: Reader,
  operation: Operation,
): Promise<Scope> {
  const bucket = await requireBucket(parts.buckets, id);
  if (bucket.public) return serviceScope(operation);
  const caller = reader === "public" ? null : await parts.authorize(request);
  if (!caller) throw new StorageApiError("NoSuchBucket");
  if (!isValidKey(key)) throw new StorageApiError("NoSuchKey");
  return scopeOf(caller, operation);
}

async function info(c: Context, parts: Parts, prefix: string, reader: Reader): Promise<Response> {
  const address = addressOf(c, prefix);
  const operation = `storage.object.info_${reader === "public" ? "public" : "authenticated"}`;
  const scope = await readingScope(parts, c.req.raw, address, reader, operation as Operation);
  const row = await parts.objects.table.find(scope, address);
  if (!row) throw new StorageApiError("NoSuchKey");
  return c.json({
    id: row.id,
    name: row.name,
    version: row.version,
    bucket_id: row.bucket_id,
    size: row.metadata?.size ?? null,
    content_type: row.metadata?.mimetype ?? null,
    cache_control: row.metadata?.cacheControl ?? null,
    etag: row.metadata?.eTag ?? null,
    metadata: row.user_metadata,
    last_modified: row.metadata?.lastModified ?? row.updated_at,
    created_at: row.created_at,
  });
}

async function download(
  c: Context,
  parts: Parts,
  prefix: string,
  reader: Reader,
): Promise<Response> {
  const address = addressOf(c, prefix);
  const operation = `storage.object.get_${reader === "public" ? "public" : "authenticated"}`;
  const scope = await readingScope(parts, c.req.raw, address, reader, operation as Operation);
  const open = await parts.objects.open(scope, address);
  if (!open) throw new StorageApiError("NoSuchKey");
  return await sendObject(c, parts, open);
}

async function deleteOne(c: Context, parts: Parts): Promise<Response> {
  const scope = scopeOf(await requireCaller(parts, c.req.raw), "storage.object.delete");
  const { bucket, key } = addressOf(c, "/object");
  const removed = isValidKey(key) ? await parts.objects.remove(scope, bucket, [key]) : [];
  if (removed.length === 0) throw new StorageApiError("NoSuchKey");
  return c.json({ message: "Successfully deleted" });
}

/** Deletes what the caller may of the given keys and tells which; the rest is no error. */
async function deleteMany(c: Context, parts: Parts): Promise<Response> {
  const scope = scopeOf(await requireCaller(parts, c.req.raw), "storage.object.delete_many");
  const bucket = c.req.param("bucket")!;
  const { prefixes } = await jsonBody(c.req.raw);
  if (!Array.isArray(prefixes) || prefixes.length === 0 || prefixes.length > 1000) {
    throw new StorageApiError("InvalidRequest", "body/prefixes must hold 1 to 1000 keys");
  }
  const keys = prefixes.filter((key) => typeof key === "string" && isValidKey(key));
  return c.json((await parts.objects.remove(scope, bucket, keys)).map(objectAnswer));
}

/** A row as the API answers with it. */
export function objectAnswer(row: ObjectRow) {
  const { name, bucket_id, owner, owner_id, version, id, user_metadata, metadata } = row;
  const { updated_at, created_at, last_accessed_at } = row;
  return {
    ...{ name, bucket_id, owner, owner_id, version, id },
    ...{ updated_at, created_at, last_accessed_at, metadata, user_metadata },
  };
}
