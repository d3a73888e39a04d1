/** Signed URLs: `/object/sign/...` for downloads and `/object/upload/sign/...` for uploads. */
import type { Context, Hono } from "hono";

import {
  addressOf,
  bucketForWriting,
  bypassesPolicies,
  jsonBody,
  type Parts,
  requireCaller,
} from "./context.ts";
import { StorageApiError } from "./errors.ts";
import { assertValidKey, isValidKey } from "./keys.ts";
import { sendObject, storeBody } from "./object_routes.ts";

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
  if (!bypassesPolicies(caller) || !await parts.folder.head(bucket, key)) {
    throw new StorageApiError("NoSuchKey");
  }
  return c.json({ signedURL: await signDownload(parts, `${bucket}/${key}`, expiresIn) });
}

async function signMany(c: Context, parts: Parts): Promise<Response> {
  const caller = await requireCaller(parts, c.req.raw);
  const bucket = c.req.param("bucket")!;
  const body = await jsonBody(c.req.raw);
  const expiresIn = requireSeconds(body);
  if (!Array.isArray(body.paths) || body.paths.length === 0) {
    throw new StorageApiError("InvalidRequest", "body/paths must NOT have fewer than 1 items");
  }
  const rows = [];
  for (const path of body.paths) {
    const found = bypassesPolicies(caller) && typeof path === "string" && isValidKey(path) &&
      await parts.folder.head(bucket, path);
    rows.push({
      error: found ? null : "Either the object does not exist or you do not have access to it",
      path,
      signedURL: found ? await signDownload(parts, `${bucket}/${path}`, expiresIn) : null,
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
  const open = await parts.folder.open(bucket, key);
  if (!open) throw new StorageApiError("NoSuchKey");
  return await sendObject(c, open, new Date(grant.exp * 1000));
}

async function signUpload(c: Context, parts: Parts): Promise<Response> {
  const caller = await requireCaller(parts, c.req.raw);
  const { bucket, key } = addressOf(c, "/object/upload/sign");
  const upsert = c.req.header("x-upsert") === "true";
  await bucketForWriting(parts, caller, bucket);
  assertValidKey(key);
  if (!upsert && await parts.folder.head(bucket, key)) {
    throw new StorageApiError("KeyAlreadyExists");
  }
  const url = `${bucket}/${key}`;
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
  const meta = await storeBody(parts, c.req.raw, { bucket, key, upsert: upsert === true, owner });
  return c.json({ Id: meta.id, Key: `${bucket}/${key}` });
}

function requireSeconds(body: Record<string, unknown>): number {
  const seconds = body.expiresIn;
  if (typeof seconds === "number" && Number.isSafeInteger(seconds) && seconds >= 1) return seconds;
  throw new StorageApiError("InvalidRequest", "body/expiresIn must be an integer >= 1");
}
