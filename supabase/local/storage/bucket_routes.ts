/** `/bucket...`: the buckets themselves. */
import type { Context, Hono } from "hono";

import { type BucketSettings, parseSizeLimit, requireBucket } from "./buckets.ts";
import {
  bypassesPolicies,
  type Caller,
  jsonBody,
  type Parts,
  requireCaller,
  requireString,
} from "./context.ts";
import { StorageApiError } from "./errors.ts";
import { assertValidBucketName } from "./keys.ts";

/** Adds the routes. */
export function addBucketRoutes(app: Hono, parts: Parts): void {
  app.get("/bucket", async (c) => {
    const caller = await requireCaller(parts, c.req.raw);
    return c.json(bypassesPolicies(caller) ? await parts.buckets.all() : []);
  });
  app.get("/bucket/:bucket", async (c) => c.json(await visibleBucket(c, parts)));
  app.post("/bucket", (c) => createBucket(c, parts));
  app.put("/bucket/:bucket", async (c) => {
    const { id } = await visibleBucket(c, parts);
    await parts.buckets.update(id, readSettings(await jsonBody(c.req.raw), parts));
    return c.json({ message: "Successfully updated" });
  });
  app.post("/bucket/:bucket/empty", async (c) => {
    const { id } = await visibleBucket(c, parts);
    await parts.folder.empty(id);
    return c.json({ message: "Successfully emptied" });
  });
  app.delete("/bucket/:bucket", async (c) => {
    const { id } = await visibleBucket(c, parts);
    if (!(await parts.folder.keys(id).next()).done) throw new StorageApiError("BucketNotEmpty");
    await parts.buckets.remove(id);
    return c.json({ message: "Successfully deleted" });
  });
}

/** The bucket of the path; one whom policies stop sees none. */
async function visibleBucket(c: Context, parts: Parts) {
  const caller: Caller = await requireCaller(parts, c.req.raw);
  if (!bypassesPolicies(caller)) throw new StorageApiError("NoSuchBucket");
  return await requireBucket(parts.buckets, c.req.param("bucket")!);
}

async function createBucket(c: Context, parts: Parts): Promise<Response> {
  const caller = await requireCaller(parts, c.req.raw);
  const body = await jsonBody(c.req.raw);
  const name = requireString(body, "name");
  const id = typeof body.id === "string" ? body.id : name;
  assertValidBucketName(name);
  assertValidBucketName(id);
  if (!bypassesPolicies(caller)) throw new StorageApiError("AccessDenied");
  const settings = readSettings(body, parts);
  await parts.buckets.insert({
    id,
    name,
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
