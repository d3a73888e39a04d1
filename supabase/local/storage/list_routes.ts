/** Listings: `/object/list` (folders and files of one level) and `/object/list-v2` (keys, by cursor). */
import type { Context, Hono } from "hono";

import { jsonBody, type Parts, requireCaller } from "./context.ts";
import { StorageApiError } from "./errors.ts";
import { decodeCursor, encodeCursor } from "./list_cursor.ts";
import { scopeOf } from "./scope.ts";

/** Adds the routes; they must come before those of single objects. */
export function addListRoutes(app: Hono, parts: Parts): void {
  app.post("/object/list/:bucket", (c) => list(c, parts));
  app.post("/object/list-v2/:bucket", (c) => listV2(c, parts));
}

/** `storage.search`: `search` filters by beginning. */
async function list(c: Context, parts: Parts): Promise<Response> {
  const scope = scopeOf(await requireCaller(parts, c.req.raw), "storage.object.list");
  const body = await jsonBody(c.req.raw);
  const prefix = typeof body.prefix === "string" ? body.prefix : "";
  const { column, descending } = sorting(body.sortBy);
  const rows = await parts.objects.table.search(scope, c.req.param("bucket")!, {
    prefix: prefix === "" || prefix.endsWith("/") ? prefix : prefix + "/",
    limit: integer(body.limit, 1, "limit") ?? 100,
    offset: integer(body.offset, 0, "offset") ?? 0,
    search: typeof body.search === "string" ? body.search : "",
    column,
    order: descending ? "desc" : "asc",
  });
  return c.json(rows);
}

/** Keys below a prefix in the order of their bytes, or, with a delimiter, folded to folders. */
async function listV2(c: Context, parts: Parts): Promise<Response> {
  const scope = scopeOf(await requireCaller(parts, c.req.raw), "storage.object.list_v2");
  const body = await jsonBody(c.req.raw);
  const limit = Math.min(integer(body.limit, 1, "limit") ?? 1000, 1000);
  const { column, descending } = sorting(body.sortBy);
  if (column !== "name" || descending) {
    throw new StorageApiError("InvalidRequest", "The stand-in lists v2 by name, ascending, only");
  }
  const prefix = typeof body.prefix === "string" ? body.prefix : "";
  const rows = await parts.objects.table.list(scope, c.req.param("bucket")!, {
    prefix,
    after: decodeCursor(body.cursor),
    limit: limit + 1,
    folded: body.with_delimiter === true,
  });
  const page = rows.slice(0, limit);
  // As in the real API: `name` is the key as a whole, `key` what follows the prefix.
  const below = (name: string) => name.slice(prefix.length);
  const hasNext = rows.length > limit;
  return c.json({
    hasNext,
    folders: page.filter((row) => row.id === null).map(({ name }) => ({ key: below(name), name })),
    objects: page.filter((row) => row.id !== null).map((row) => ({ key: below(row.name), ...row })),
    nextCursor: hasNext ? encodeCursor(page[page.length - 1].name) : undefined,
  });
}

function sorting(sortBy: unknown) {
  const { column = "name", order = "asc" } = (sortBy ?? {}) as Record<string, unknown>;
  if (
    column !== "name" && column !== "updated_at" && column !== "created_at" &&
    column !== "last_accessed_at"
  ) {
    throw new StorageApiError("InvalidRequest", "body/sortBy/column is not one that can be sorted");
  }
  return { column, descending: order === "desc" };
}

function integer(value: unknown, minimum: number, name: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= minimum) return value;
  throw new StorageApiError("InvalidRequest", `body/${name} must be an integer >= ${minimum}`);
}
