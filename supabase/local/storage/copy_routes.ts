/** `/object/copy` and `/object/move`. */
import { Buffer } from "node:buffer";

import type { Context, Hono } from "hono";

import { requireBucket } from "./buckets.ts";
import { bypassesPolicies, jsonBody, type Parts, requireCaller, requireString } from "./context.ts";
import { StorageApiError } from "./errors.ts";
import { assertValidKey } from "./keys.ts";
import { objectRow } from "./object_routes.ts";

/** Adds the routes; they must come before those of single objects. */
export function addCopyRoutes(app: Hono, parts: Parts): void {
  app.post("/object/copy", (c) => copy(c, parts));
  app.post("/object/move", (c) => move(c, parts));
}

async function readAddresses(c: Context, parts: Parts) {
  const caller = await requireCaller(parts, c.req.raw);
  const body = await jsonBody(c.req.raw);
  const from = { bucket: requireString(body, "bucketId"), key: requireString(body, "sourceKey") };
  const to = {
    bucket: typeof body.destinationBucket === "string" ? body.destinationBucket : from.bucket,
    key: requireString(body, "destinationKey"),
  };
  assertValidKey(from.key);
  assertValidKey(to.key);
  if (!bypassesPolicies(caller) || !await parts.folder.head(from.bucket, from.key)) {
    throw new StorageApiError("NoSuchKey");
  }
  await requireBucket(parts.buckets, to.bucket);
  return { caller, body, from, to };
}

async function copy(c: Context, parts: Parts): Promise<Response> {
  const { caller, body, from, to } = await readAddresses(c, parts);
  const upsert = c.req.header("x-upsert") === "true";
  if (!upsert && await parts.folder.head(to.bucket, to.key)) {
    throw new StorageApiError("KeyAlreadyExists");
  }
  const meta = await parts.folder.copy(from, to, {
    owner: caller.sub,
    ...(body.copyMetadata === false
      ? { ...pickFacts(body.metadata), userMetadata: headerMetadata(c) }
      : {}),
  });
  return c.json({
    Id: meta.id,
    Key: `${to.bucket}/${to.key}`,
    ...objectRow(to.bucket, to.key, meta),
  });
}

async function move(c: Context, parts: Parts): Promise<Response> {
  const { from, to } = await readAddresses(c, parts);
  const meta = await parts.folder.move(from, to);
  return c.json({ message: "Successfully moved", Id: meta.id, Key: to.key });
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
