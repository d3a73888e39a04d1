/** Listings: `/object/list` (folders and files of one level) and `/object/list-v2` (keys, by cursor). */
import type { Context, Hono } from "hono";

import { bypassesPolicies, jsonBody, type Parts, requireCaller } from "./context.ts";
import { StorageApiError } from "./errors.ts";
import { isValidBucketName } from "./keys.ts";
import type { ObjectMeta } from "./object_file.ts";
import { objectRow } from "./object_routes.ts";

/** Adds the routes; they must come before those of single objects. */
export function addListRoutes(app: Hono, parts: Parts): void {
  app.post("/object/list/:bucket", (c) => list(c, parts));
  app.post("/object/list-v2/:bucket", (c) => listV2(c, parts));
}

type Row = ReturnType<typeof listedRow>;

/** `storage.search`: folders first, then files in the order asked for; `search` filters by beginning. */
async function list(c: Context, parts: Parts): Promise<Response> {
  const caller = await requireCaller(parts, c.req.raw);
  const bucket = c.req.param("bucket")!;
  const body = await jsonBody(c.req.raw);
  const limit = integer(body.limit, 1, "limit") ?? 100;
  const offset = integer(body.offset, 0, "offset") ?? 0;
  const search = typeof body.search === "string" ? body.search.toLowerCase() : "";
  const prefix = typeof body.prefix === "string" ? body.prefix : "";
  const { column, descending } = sorting(body.sortBy);
  if (!bypassesPolicies(caller) || !isValidBucketName(bucket)) return c.json([]);

  const base = prefix === "" || prefix.endsWith("/") ? prefix : prefix + "/";
  const found = await parts.folder.children(bucket, base);
  const wanted = (name: string) => name.toLowerCase().startsWith(search);
  const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0) * (descending ? -1 : 1);
  const folders = found.folders.filter(wanted).sort(order);
  const files = found.files.filter(wanted).sort(order);

  const page: unknown[] = folders.slice(offset, offset + limit).map(folderRow);
  const filesFrom = Math.max(0, offset - folders.length);
  if (column === "name") {
    for (const name of files.slice(filesFrom, filesFrom + limit - page.length)) {
      const meta = await parts.folder.head(bucket, base + name);
      if (meta) page.push(listedRow(bucket, name, meta));
    }
  } else {
    const rows: Row[] = [];
    for (const name of files) {
      const meta = await parts.folder.head(bucket, base + name);
      if (meta) rows.push(listedRow(bucket, name, meta));
    }
    rows.sort((a, b) => order(a[column], b[column]));
    page.push(...rows.slice(filesFrom, filesFrom + limit - page.length));
  }
  return c.json(page);
}

/** Keys below a prefix in the order of their bytes, or, with a delimiter, folded to folders. */
async function listV2(c: Context, parts: Parts): Promise<Response> {
  const caller = await requireCaller(parts, c.req.raw);
  const bucket = c.req.param("bucket")!;
  const body = await jsonBody(c.req.raw);
  const limit = Math.min(integer(body.limit, 1, "limit") ?? 1000, 1000);
  const prefix = typeof body.prefix === "string" ? body.prefix : "";
  const { column, descending } = sorting(body.sortBy);
  if (column !== "name" || descending) {
    throw new StorageApiError("InvalidRequest", "The stand-in lists v2 by name, ascending, only");
  }
  const objects: unknown[] = [];
  const folders: { key: string; name: string }[] = [];
  let last = decodeCursor(body.cursor);
  let hasNext = false;
  if (bypassesPolicies(caller) && isValidBucketName(bucket)) {
    let folder = body.with_delimiter === true && last.endsWith("/") ? last : "";
    for await (const key of parts.folder.keys(bucket, prefix, last)) {
      if (folder && key.startsWith(folder)) continue;
      if (objects.length + folders.length === limit) {
        hasNext = true;
        break;
      }
      const slash = body.with_delimiter === true ? key.indexOf("/", prefix.length) : -1;
      if (slash >= 0) {
        folder = last = key.slice(0, slash + 1);
        folders.push({ key: folder, name: folder });
        continue;
      }
      last = key;
      const meta = await parts.folder.head(bucket, key);
      if (meta) objects.push({ key, ...listedRow(bucket, key, meta) });
    }
  }
  return c.json({
    hasNext,
    folders,
    objects,
    nextCursor: hasNext ? encodeCursor(last) : undefined,
  });
}

function listedRow(bucket: string, name: string, meta: ObjectMeta) {
  const { id, updated_at, created_at, last_accessed_at, metadata } = objectRow(bucket, name, meta);
  return { name, id, updated_at, created_at, last_accessed_at, metadata };
}

function folderRow(name: string) {
  return {
    name,
    id: null,
    updated_at: null,
    created_at: null,
    last_accessed_at: null,
    metadata: null,
  };
}

function sorting(sortBy: unknown) {
  const { column = "name", order = "asc" } = (sortBy ?? {}) as Record<string, unknown>;
  if (
    column !== "name" && column !== "updated_at" && column !== "created_at" &&
    column !== "last_accessed_at"
  ) {
    throw new StorageApiError("InvalidRequest", "body/sortBy/column is not one that can be sorted");
  }
  return { column: column as "name" | "updated_at" | "created_at", descending: order === "desc" };
}

function integer(value: unknown, minimum: number, name: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= minimum) return value;
  throw new StorageApiError("InvalidRequest", `body/${name} must be an integer >= ${minimum}`);
}

// Keys are ASCII, so btoa takes them.
function encodeCursor(key: string): string {
  return btoa(key);
}

function decodeCursor(cursor: unknown): string {
  if (cursor === undefined || cursor === null || cursor === "") return "";
  try {
    return atob(String(cursor));
  } catch {
    throw new StorageApiError("InvalidRequest", "Invalid continuation token");
  }
}
