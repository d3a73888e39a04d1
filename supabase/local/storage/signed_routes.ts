/**
 * Signed URLs: `/object/sign/...` for downloads and `/object/upload/sign/...` for uploads. Policies are asked when
 * a URL is signed; who has it then needs none.
 */
import type { Context, Hono } from "hono";

import { requireBucket } from "./buckets.ts";
import { addressOf, jsonBody, type Parts, pathToSign, requireCaller } from "./context.ts";
import { StorageApiError } from "./errors.ts";
import { assertValidKey, isValidKey } from "./keys.ts";
import { sendObject } from "./object_body.ts";
import { storeBody } from "./object_routes.ts";
import { scopeOf, serviceScope } from "./scope.ts";

/** Adds the routes; they must come before those of single objects. */
export function addSignedRoutes(app: Hono, parts: Parts): void {
  app.post("/object/sign/:bucket", (c) => signMany(c, parts));
  app.post("/object/sign/:bucket/*", (c) => signOne(c, parts));
  app.get("/object/sign/:bucket/*", (c) => downloadSigned(c, parts));
  app.post("/object/upload/sign/:bucket/*", (c) => signUpload(c, parts));
  app.put("/object/upload/sign/:bucket/*", (c) => uploadSigned(c, parts));
}

async function signOne(c: Context, parts: Parts): Promise<Response> {
  const caller = await requireCaller(parts, c.req.raw);
  const { bucket, key } = addressOf(c, "/object/sign");
  const expiresIn = requireSeconds(await jsonBody(c.req.raw));
  assertValidKey(key);
  const row = await parts.objects.table.find(scopeOf(caller, "storage.object.sign"), {
    bucket,
    key,
  });
  if (!row) throw new StorageApiError("NoSuchKey");
  const path = pathToSign(c, "/object/sign");
  return c.json({ signedURL: await signDownload(parts, path, expiresIn) });
}

async function signMany(c: Context, parts: Parts): Promise<Response> {
  const caller = await requireCaller(parts, c.req.raw);
  const bucket = c.req.param("bucket")!;
  const body = await jsonBody(c.req.raw);
  const expiresIn = requireSeconds(body);
  if (!Array.isArray(body.paths) || body.paths.length === 0) {
    throw new StorageApiError("InvalidRequest", "body/paths must NOT have fewer than 1 items");
  }
  const keys = body.paths.filter((path) => typeof path === "string" && isValidKey(path));
  const scope = scopeOf(caller, "storage.object.sign_many");
  const found = await parts.objects.table.findMany(scope, bucket, keys);
  const rows = [];
  for (const path of body.paths) {
    const there = found.has(path);
    rows.push({
      error: there ? null : "Either the object does not exist or you do not have access to it",
      path,
      signedURL: there ? await signDownload(parts, `${bucket}/${path}`, expiresIn) : null,
    });
  }
  return c.json(rows);
}

async function signDownload(parts: Parts, url: string, expiresIn: number): Promise<string> {
  const token = await parts.signer.sign({ url, scope: "download" }, expiresIn);
  return `/object/sign/${url}?token=${token}`;
}

async function downloadSigned(c: Context, parts: Parts): Promise<Response> {
  const { bucket, key } = addressOf(c, "/object/sign");
  const token = c.req.query("token");
  const grant = await parts.signer.verify(token, "download", `${bucket}/${key}`);
  const scope = serviceScope("storage.object.get_signed");
  const open = await parts.objects.open(scope, { bucket, key });
  if (!open) throw new StorageApiError("NoSuchKey");
  return await sendObject(c, parts, open, new Date(grant.exp * 1000));
}

async function signUpload(c: Context, parts: Parts): Promise<Response> {
  const caller = await requireCaller(parts, c.req.raw);
  const { bucket, key } = addressOf(c, "/object/upload/sign");
  const upsert = c.req.header("x-upsert") === "true";
  await requireBucket(parts.buckets, bucket);
  assertValidKey(key);
  await parts.objects.table.mayUpload(scopeOf(caller, "storage.object.sign_upload_url"), {
    ...{ bucket, key, upsert },
    owner: caller.sub,
  });
  const url = pathToSign(c, "/object/upload/sign");
  const token = await parts.signer.sign(
    { url, scope: "upload", upsert, owner: caller.sub },
    parts.signedUploadSeconds,
  );
  return c.json({ url: `/object/upload/sign/${url}?token=${token}`, token });
}

async function uploadSigned(c: Context, parts: Parts): Promise<Response> {
  const { bucket, key } = addressOf(c, "/object/upload/sign");
  const token = c.req.query("token");
  const { upsert, owner } = await parts.signer.verify(token, "upload", `${bucket}/${key}`);
  const scope = serviceScope("storage.object.upload_signed");
  const to = { bucket, key, upsert: upsert === true, owner };
  const id = await storeBody(parts, c.req.raw, scope, to);
  return c.json({ Id: id, Key: `${bucket}/${key}` });
}

function requireSeconds(body: Record<string, unknown>): number {
  const seconds = body.expiresIn;
  if (typeof seconds === "number" && Number.isSafeInteger(seconds) && seconds >= 1) return seconds;
  throw new StorageApiError("InvalidRequest", "body/expiresIn must be an integer >= 1");
}
