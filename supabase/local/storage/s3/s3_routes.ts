/** The reading half of the S3 protocol, at `/s3`: GetObject, HeadObject, ListObjectsV2, path-style addresses. */
import type { Hono } from "hono";

import { escapeXml } from "../../../../shared/storage/s3_xml.ts";
import { parseByteRange } from "../byte_range.ts";
import type { Parts } from "../context.ts";
import type { Caller } from "../scope.ts";
import { isValidBucketName } from "../keys.ts";
import { decodeCursor, encodeCursor } from "../list_cursor.ts";
import { objectHeaders, rangeBody } from "../object_body.ts";
import { scopeOf } from "../scope.ts";
import { s3Caller, type S3Settings } from "./s3_caller.ts";
import { S3Error } from "./s3_error.ts";

/** Adds the routes. */
export function addS3Routes(app: Hono, parts: Parts, settings: S3Settings): void {
  app.all("/s3/*", async (c) => {
    const request = c.req.raw;
    const path = new URL(request.url).pathname;
    try {
      const caller = await s3Caller(parts, settings, request);
      return await answer(parts, caller, request, path.slice(path.indexOf("/s3/") + 4));
    } catch (thrown) {
      const error = thrown instanceof S3Error ? thrown : new S3Error("InternalError");
      if (error !== thrown) console.error("storage stand-in:", thrown);
      await request.body?.cancel();
      return error.toResponse(request.method, path);
    }
  });
}

async function answer(
  parts: Parts,
  caller: Caller,
  request: Request,
  path: string,
): Promise<Response> {
  const [bucket, ...rest] = path.split("/").map(decodeURIComponent);
  const key = rest.join("/");
  const found = isValidBucketName(bucket) ? await parts.buckets.known(bucket) : null;
  if (found === null) throw new S3Error("NoSuchBucket");
  if (request.method !== "GET" && request.method !== "HEAD") throw new S3Error("NotImplemented");
  if (key !== "") return await getObject(parts, caller, request, { bucket, key });
  const query = new URL(request.url).searchParams;
  if (request.method !== "GET" || query.get("list-type") !== "2") {
    throw new S3Error("NotImplemented");
  }
  return await listObjects(parts, caller, query, bucket);
}

/** An object's bytes or a range of them; of HEAD the headers alone. */
async function getObject(
  parts: Parts,
  caller: Caller,
  request: Request,
  address: { bucket: string; key: string },
): Promise<Response> {
  const isHead = request.method === "HEAD";
  const scope = scopeOf(caller, isHead ? "storage.s3.object.info" : "storage.s3.object.get");
  const open = await parts.objects.open(scope, address);
  if (!open) throw new S3Error("NoSuchKey");
  const { row, file, size } = open;
  const headers = objectHeaders(row);
  const etag = row.metadata?.eTag;
  const unchanged = etag !== undefined && request.headers.get("if-none-match") === etag;
  const range = isHead ? null : parseByteRange(request.headers.get("range"), size);
  if (unchanged || isHead || range === "unsatisfiable") {
    file.close();
    if (unchanged) return new Response(null, { status: 304, headers });
    if (range === "unsatisfiable") throw new S3Error("InvalidRange");
    headers.set("content-length", String(size));
    return new Response(null, { headers });
  }
  const { start, length } = range ?? { start: 0, length: size };
  headers.set("content-length", String(length));
  if (range) headers.set("content-range", `bytes ${start}-${start + length - 1}/${size}`);
  const body = await rangeBody(file, start, length);
  return new Response(body, { status: range ? 206 : 200, headers });
}

async function listObjects(
  parts: Parts,
  caller: Caller,
  query: URLSearchParams,
  bucket: string,
): Promise<Response> {
  const prefix = query.get("prefix") ?? "";
  const delimiter = query.get("delimiter") ?? "";
  if (delimiter !== "" && delimiter !== "/") {
    throw new S3Error("InvalidArgument", "The stand-in knows the delimiter / only");
  }
  const asked = Number(query.get("max-keys") ?? 1000);
  if (!Number.isSafeInteger(asked) || asked < 0) throw new S3Error("InvalidArgument");
  const limit = Math.min(asked || 1000, 1000);
  const token = query.get("continuation-token");
  const startAfter = query.get("start-after");
  const rows = await parts.objects.table.list(scopeOf(caller, "storage.s3.object.list"), bucket, {
    prefix,
    after: token === null ? startAfter ?? "" : decodeCursor(token),
    limit: limit + 1,
    folded: delimiter === "/",
  });
  const page = rows.slice(0, limit);
  const isTruncated = rows.length > limit;
  const asUrl = query.get("encoding-type") === "url";
  const name = (text: string) => escapeXml(asUrl ? encodeURIComponent(text) : text);
  const element = (tag: string, text: string | null) =>
    text === null ? "" : `<${tag}>${text}</${tag}>`;
  const contents = page.map((row) =>
    row.id === null ? element("CommonPrefixes", element("Prefix", name(row.name))) : element(
      "Contents",
      element("Key", name(row.name)) +
        element("LastModified", row.updated_at!.toISOString()) +
        element("ETag", escapeXml(row.metadata?.eTag ?? "")) +
        element("Size", String(row.metadata?.size ?? 0)) +
        element("StorageClass", "STANDARD"),
    )
  );
  const body = element("Name", escapeXml(bucket)) + element("Prefix", name(prefix)) +
    element("KeyCount", String(page.length)) + element("MaxKeys", String(limit)) +
    element("Delimiter", delimiter === "" ? null : name(delimiter)) +
    element("EncodingType", asUrl ? "url" : null) +
    element("IsTruncated", String(isTruncated)) +
    element("StartAfter", startAfter === null ? null : name(startAfter)) +
    element("ContinuationToken", token === null ? null : escapeXml(token)) +
    element("NextContinuationToken", isTruncated ? encodeCursor(page[limit - 1].name) : null) +
    contents.join("");
  return new Response(
    `<?xml version="1.0" encoding="UTF-8"?>\n` +
      `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${body}</ListBucketResult>`,
    { headers: { "content-type": "application/xml" } },
  );
}
