/** `/object/copy` and `/object/move`. */
import { Buffer } from "node:buffer";

import type { Context, Hono } from "hono";

import { requireBucket } from "./buckets.ts";
import { jsonBody, type Parts, requireCaller, requireString } from "./context.ts";
import { StorageApiError } from "./errors.ts";
import { assertValidKey } from "./keys.ts";
import { objectAnswer } from "./object_routes.ts";
import { type Operation, scopeOf, serviceScope } from "./scope.ts";

/** Adds the routes; they must come before those of single objects. */
export function addCopyRoutes(app: Hono, parts: Parts): void {
  app.post("/object/copy", (c) => copy(c, parts));
  app.post("/object/move", (c) => move(c, parts));
}

/** What is asked, with the row of the source, when policies show it to the caller. */
async function readAddresses(c: Context, parts: Parts, operation: Operation) {
  const caller = await requireCaller(parts, c.req.raw);
  const scope = scopeOf(caller, operation);
  const body = await jsonBody(c.req.raw);
  const from = { bucket: requireString(body, "bucketId"), key: requireString(body, "sourceKey") };
  const to = {
    bucket: typeof body.destinationBucket === "string" ? body.destinationBucket : from.bucket,
    key: requireString(body, "destinationKey"),
    owner: caller.sub,
  };
  assertValidKey(from.key);
  const row = await parts.objects.table.find(scope, from);
  // Where there is nothing to move, it does not matter where to.
  if (!row) throw new StorageApiError("NoSuchKey");
  assertValidKey(to.key);
  await requireBucket(parts.buckets, to.bucket);
  return { scope, body, from, to, row };
}

async function copy(c: Context, parts: Parts): Promise<Response> {
  const { scope, body, to, row } = await readAddresses(c, parts, "storage.object.copy");
  const { objects } = parts;
  const upsert = c.req.header("x-upsert") === "true";
  await objects.table.mayUpload(scope, { ...to, upsert });
  const keep = body.copyMetadata !== false;
  const metadata = keep ? row.metadata : { ...row.metadata, ...pickFacts(body.metadata) };
  const userMetadata = keep ? row.user_metadata ?? undefined : headerMetadata(c);
  await objects.copy(scope.operation, row, to, metadata ?? {}, userMetadata);
  const copied = await objects.table.find(serviceScope(scope.operation), to);
  if (!copied) throw new StorageApiError("NoSuchKey");
  return c.json({ Id: copied.id, Key: `${to.bucket}/${to.key}`, ...objectAnswer(copied) });
}

async function move(c: Context, parts: Parts): Promise<Response> {
  const { scope, from, to, row } = await readAddresses(c, parts, "storage.object.move");
  const may = await parts.objects.table.mayMove(scope, from, to);
  if (!may) throw new StorageApiError("NoSuchKey");
  const same = from.bucket === to.bucket && from.key === to.key;
  const id = same ? row.id : await parts.objects.move(scope.operation, row, to);
  return c.json({ message: "Successfully moved", Id: id, Key: to.key });
}

function pickFacts(metadata: unknown): { mimetype?: string; cacheControl?: string } {
  const { mimetype, cacheControl } = (metadata ?? {}) as Record<string, unknown>;
  return {
    ...(typeof mimetype === "string" ? { mimetype } : {}),
    ...(typeof cacheControl === "string" ? { cacheControl } : {}),
  };
}

function headerMetadata(c: Context): unknown {
  try {
    return JSON.parse(Buffer.from(c.req.header("x-metadata") ?? "", "base64").toString("utf8"));
  } catch {
    return undefined;
  }
}
