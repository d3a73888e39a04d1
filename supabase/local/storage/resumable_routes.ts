/**
 * `/upload/resumable`: TUS 1.0.0 with creation, creation-with-upload, termination and expiration, as the real
 * API serves it by @tus/server; below `/sign`, a signed upload token in `x-signature` stands for the caller.
 */
import { Buffer } from "node:buffer";

import type { Context, Hono } from "hono";

import { assertAllowedMimeType, requireBucket } from "./buckets.ts";
import { type Parts, requireCaller, sizeLimit } from "./context.ts";
import { StorageApiError } from "./errors.ts";
import { bodyOf, drain } from "./incoming_body.ts";
import { assertValidBucketName, assertValidKey } from "./keys.ts";
import type { Address } from "./object_table.ts";
import { type ResumableUpload, ResumableUploads } from "./resumable_uploads.ts";
import { type Operation, type Scope, scopeOf, serviceScope } from "./scope.ts";
import {
  capabilities,
  chunkType,
  parseMetadata,
  readLength,
  refusal,
  requireVersion,
  setExpiry,
  tooLarge,
  TusError,
  tusVersion,
} from "./tus_protocol.ts";

const lifeMilliseconds = 24 * 60 * 60 * 1000;

/** On whose behalf is written, and whether over something. */
interface Grant {
  scope: Scope;
  upsert: boolean;
  owner?: string;
}

/** Adds the routes. */
export function addResumableRoutes(app: Hono, parts: Parts): void {
  const uploads = new ResumableUploads(parts.objects);
  const tus = (run: (c: Context) => Promise<Response>) => async (c: Context) => {
    const answer = await run(c).catch(async (thrown) => {
      await drain(c.req.raw);
      return refusal(thrown);
    });
    answer.headers.set("tus-resumable", tusVersion);
    return answer;
  };
  for (const base of ["/upload/resumable", "/upload/resumable/sign"]) {
    const signed = base.endsWith("/sign");
    app.options(base, tus(() => Promise.resolve(capabilities(parts.maxObjectBytes))));
    app.options(`${base}/:id`, tus(() => Promise.resolve(capabilities(parts.maxObjectBytes))));
    app.post(base, tus((c) => create(c, parts, uploads, base, signed)));
    // Hono answers HEAD with the GET route.
    app.get(`${base}/:id`, tus((c) => status(c, parts, uploads, signed)));
    app.patch(`${base}/:id`, tus((c) => patch(c, parts, uploads, signed)));
    app.delete(`${base}/:id`, tus((c) => terminate(c, parts, uploads, signed)));
  }
}

async function create(
  c: Context,
  parts: Parts,
  uploads: ResumableUploads,
  base: string,
  signed: boolean,
): Promise<Response> {
  requireVersion(c);
  const header = c.req.header("upload-metadata") ?? "";
  const metadata = parseMetadata(header);
  const bucketName = metadata.get("bucketName") ?? "";
  const key = metadata.get("objectName") ?? "";
  assertValidBucketName(bucketName);
  assertValidKey(key);
  const bucket = await requireBucket(parts.buckets, bucketName);
  const address = { bucket: bucketName, key };
  const grant = await authorize(c, parts, signed, address, "storage.tus.upload.create");
  await parts.objects.table.mayUpload(grant.scope, { ...address, ...grant });
  const length = c.req.header("upload-defer-length") === "1" ? null : readLength(c);
  if (length !== null && length > sizeLimit(parts, bucket)) throw tooLarge();
  const mimetype = metadata.get("contentType") || "application/octet-stream";
  assertAllowedMimeType(bucket, mimetype);
  const seconds = metadata.get("cacheControl") ?? "";
  const upload: ResumableUpload = {
    id: crypto.randomUUID(),
    bucket: bucketName,
    key,
    length,
    upsert: grant.upsert,
    owner: grant.owner,
    facts: {
      mimetype,
      cacheControl: /^-?\d+$/.test(seconds) ? `max-age=${seconds}` : "no-cache",
      userMetadata: parseJson(metadata.get("metadata")),
    },
    metadata: header,
    expiresAt: new Date(Date.now() + lifeMilliseconds).toISOString(),
  };
  await uploads.create(upload);
  const name = Buffer.from(`${bucketName}/${key}/${upload.id}`).toString("base64url");
  const headers = new Headers({ location: `${parts.publicUrl()}${base}/${name}` });
  if (c.req.header("content-type") === chunkType) {
    await receive(c, parts, uploads, upload, 0);
    headers.set("upload-offset", String(await uploads.offset(upload)));
  } else if (length === 0) {
    await uploads.finish(upload);
  }
  setExpiry(headers, upload);
  return new Response(null, { status: 201, headers });
}

async function status(
  c: Context,
  parts: Parts,
  uploads: ResumableUploads,
  signed: boolean,
): Promise<Response> {
  if (c.req.method !== "HEAD") throw new TusError(404, "Not found");
  const upload = await requireUpload(c, uploads);
  if (signed) await authorize(c, parts, signed, upload, "storage.tus.upload.get");
  const offset = await uploads.offset(upload);
  // A client that finds all its bytes here sends nothing more: the object must be there by then.
  if (offset === upload.length) await uploads.exclusively(upload, () => uploads.finish(upload));
  const headers = new Headers({
    "cache-control": "no-store",
    "upload-offset": String(offset),
    "upload-metadata": upload.metadata,
  });
  if (upload.length === null) headers.set("upload-defer-length", "1");
  else headers.set("upload-length", String(upload.length));
  setExpiry(headers, upload);
  return new Response(null, { headers });
}

async function patch(
  c: Context,
  parts: Parts,
  uploads: ResumableUploads,
  signed: boolean,
): Promise<Response> {
  requireVersion(c);
  const upload = await requireUpload(c, uploads);
  await requireRight(c, parts, signed, upload, "storage.tus.upload.part");
  if (c.req.header("content-type") !== chunkType) throw new TusError(415, "Invalid Content-Type");
  const offset = Number(c.req.header("upload-offset") ?? NaN);
  if (!Number.isSafeInteger(offset) || offset < 0) throw new TusError(400, "Invalid Upload-Offset");
  await receive(c, parts, uploads, upload, offset);
  const headers = new Headers({ "upload-offset": String(await uploads.offset(upload)) });
  setExpiry(headers, upload);
  return new Response(null, { status: 204, headers });
}

/** Appends a request's body at an offset, and finishes the upload when it is whole. */
async function receive(
  c: Context,
  parts: Parts,
  uploads: ResumableUploads,
  upload: ResumableUpload,
  offset: number,
): Promise<void> {
  const free = await uploads.exclusively(upload, async () => {
    if (await uploads.offset(upload) !== offset) throw new TusError(409, "Upload-Offset conflict");
    const limit = sizeLimit(parts, await requireBucket(parts.buckets, upload.bucket));
    if (upload.length === null && c.req.header("upload-length") !== undefined) {
      upload.length = readLength(c);
      if (upload.length > limit) throw tooLarge();
      await uploads.save(upload);
    }
    const most = (upload.length ?? limit) - offset;
    await uploads.append(upload, atMost(bodyOf(c.req.raw), most));
    if (await uploads.offset(upload) === upload.length) await uploads.finish(upload);
  });
  if (!free) throw new TusError(423, "The file is currently being used by another request");
}

async function terminate(
  c: Context,
  parts: Parts,
  uploads: ResumableUploads,
  signed: boolean,
): Promise<Response> {
  requireVersion(c);
  const upload = await requireUpload(c, uploads);
  await requireRight(c, parts, signed, upload, "storage.tus.upload.delete");
  const free = await uploads.exclusively(upload, () => uploads.remove(upload));
  if (!free) throw new TusError(423, "The file is currently being used by another request");
  return new Response(null, { status: 204 });
}

async function authorize(
  c: Context,
  parts: Parts,
  signed: boolean,
  { bucket, key }: Address,
  operation: Operation,
): Promise<Grant> {
  if (signed) {
    const token = c.req.header("x-signature");
    if (!token) throw new StorageApiError("InvalidSignature", "Missing x-signature header");
    const grant = await parts.signer.verify(token, "upload", `${bucket}/${key}`);
    const scope = serviceScope(operation);
    return { scope, upsert: grant.upsert === true, owner: grant.owner };
  }
  const caller = await requireCaller(parts, c.req.raw);
  const upsert = c.req.header("x-upsert") === "true";
  return { scope: scopeOf(caller, operation), upsert, owner: caller.sub };
}

/** Asks again, at each request, whether what was begun may be written. */
async function requireRight(
  c: Context,
  parts: Parts,
  signed: boolean,
  upload: ResumableUpload,
  operation: Operation,
): Promise<void> {
  const { scope, owner } = await authorize(c, parts, signed, upload, operation);
  const { bucket, key, upsert } = upload;
  await parts.objects.table.mayUpload(scope, { bucket, key, upsert, owner });
}

/** The upload that a URL's last segment names: bucket, key and id in base64url. */
async function requireUpload(c: Context, uploads: ResumableUploads): Promise<ResumableUpload> {
  const name = Buffer.from(c.req.param("id") ?? "", "base64url").toString("utf8");
  const id = name.slice(name.lastIndexOf("/") + 1);
  const known = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id);
  const upload = known ? await uploads.find(id) : null;
  if (!upload || name !== `${upload.bucket}/${upload.key}/${id}`) {
    throw new TusError(404, "The file for this url was not found");
  }
  return upload;
}

async function* atMost(
  chunks: AsyncIterable<Uint8Array>,
  most: number,
): AsyncGenerator<Uint8Array> {
  let left = most;
  for await (const chunk of chunks) {
    if (chunk.byteLength > left) throw tooLarge();
    left -= chunk.byteLength;
    yield chunk;
  }
}

function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
