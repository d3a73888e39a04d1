/** `/bucket...`: the buckets themselves. */
import type { Context, Hono } from "hono";

import { type Bucket, type BucketSettings, parseSizeLimit } from "./buckets.ts";
import { jsonBody, type Parts, requireCaller, requireString } from "./context.ts";
import { StorageApiError } from "./errors.ts";
import { assertValidBucketName } from "./keys.ts";
import { type Operation, type Scope, scopeOf, serviceScope } from "./scope.ts";

/** Adds the routes. */
export function addBucketRoutes(app: Hono, parts: Parts): void {
  app.get("/bucket", async (c) => {
    const caller = await requireCaller(parts, c.req.raw);
    return c.json(await parts.buckets.all(scopeOf(caller, "storage.bucket.list")));
  });
  app.get("/bucket/:bucket", async (c) => {
    return c.json((await visibleBucket(c, parts, "storage.bucket.get")).bucket);
  });
  app.post("/bucket", (c) => createBucket(c, parts));
  app.put("/bucket/:bucket", async (c) => {
    const { bucket, scope } = await visibleBucket(c, parts, "storage.bucket.update");
    const settings = readSettings(await jsonBody(c.req.raw), parts);
    const changed = await parts.buckets.update(scope, bucket.id, settings);
    if (!changed) throw new StorageApiError("NoSuchBucket");
    return c.json({ message: "Successfully updated" });
  });
  app.post("/bucket/:bucket/empty", async (c) => {
    const operation = "storage.bucket.empty";
    const id = c.req.param("bucket");
    const { scope } = await visibleBucket(c, parts, operation).catch(async (thrown) => {
      // Of this one route the real API answers that it may not be, and not that it isn't there.
      const hidden = thrown instanceof StorageApiError && thrown.code === "NoSuchBucket" &&
        await parts.buckets.find(serviceScope(operation), id) !== null;
      throw hidden ? new StorageApiError("AccessDenied") : thrown;
    });
    await parts.objects.clear(scope, id);
    return c.json({ message: "Successfully emptied" });
  });
  app.delete("/bucket/:bucket", async (c) => {
    const { bucket, scope } = await visibleBucket(c, parts, "storage.bucket.delete");
    const empty = await parts.objects.table.isEmpty(bucket.id);
    if (!empty) throw new StorageApiError("BucketNotEmpty");
    const removed = await parts.buckets.remove(scope, bucket.id);
    if (!removed) throw new StorageApiError("NoSuchBucket");
    return c.json({ message: "Successfully deleted" });
  });
}

/** The bucket of the path, when policies show it to the caller. */
async function visibleBucket(
  c: Context,
  parts: Parts,
  operation: Operation,
): Promise<{ bucket: Bucket; scope: Scope }> {
  const scope = scopeOf(await requireCaller(parts, c.req.raw), operation);
  const id = c.req.param("bucket")!;
  assertValidBucketName(id);
  const bucket = await parts.buckets.find(scope, id);
  if (!bucket) throw new StorageApiError("NoSuchBucket");
  return { bucket, scope };
}

async function createBucket(c: Context, parts: Parts): Promise<Response> {
  const caller = await requireCaller(parts, c.req.raw);
  const body = await jsonBody(c.req.raw);
  const name = requireString(body, "name");
  const id = typeof body.id === "string" ? body.id : name;
  assertValidBucketName(name);
  assertValidBucketName(id);
  const settings = readSettings(body, parts);
  await parts.buckets.insert(scopeOf(caller, "storage.bucket.create"), {
    id,
    name,
    owner: caller.sub,
    public: settings.public ?? false,
    file_size_limit: settings.file_size_limit ?? null,
    allowed_mime_types: settings.allowed_mime_types ?? null,
  });
  return c.json({ name });
}

function readSettings(body: Record<string, unknown>, parts: Parts): Partial<BucketSettings> {
  const types = body.allowed_mime_types;
  if (types !== undefined && types !== null) {
    const bad = !Array.isArray(types)
      ? types
      : types.find((type) =>
        typeof type !== "string" || !/^[\w\-+.]+\/([\w\-+.]+(;\s*charset=[\w-]+)?|\*)$/.test(type)
      );
    if (bad !== undefined) {
      throw new StorageApiError("InvalidMimeType", `mime type ${bad} is not supported`);
    }
  }
  const limit = parseSizeLimit(body.file_size_limit);
  if (typeof limit === "number" && limit > parts.maxObjectBytes) {
    throw new StorageApiError("EntityTooLarge");
  }
  return {
    public: typeof body.public === "boolean" ? body.public : undefined,
    file_size_limit: limit,
    allowed_mime_types: types as string[] | null | undefined,
  };
}
