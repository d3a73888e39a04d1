/** The object store on S3 and what speaks its protocol: R2, Ceph, Supabase's S3 endpoint. */
import { createHash } from "node:crypto";

import { SedimentError } from "../errors.ts";
import { brokenOff, failed, readExactly, type RequestContext, sliceOf } from "./http_call.ts";
import { assertObjectKey, encodeObjectKey } from "./object_key.ts";
import type { ListedObject, ObjectInfo, ObjectStore, PutOptions } from "./object_store.ts";
import { createS3Client, type S3ClientOptions } from "./s3_client.ts";
import { unquoted } from "./s3_multipart.ts";
import { abandonUploads } from "./s3_unfinished.ts";
import { S3Upload } from "./s3_upload.ts";
import { elements, elementText, escapeXml } from "./s3_xml.ts";
import { streamChunks } from "./stream_chunks.ts";
import type { Tries } from "./store_tries.ts";

/** Where a store is, who may use it, and how streams are cut. */
export interface S3StoreOptions extends S3ClientOptions {
  /** Bytes of a part of a multipart upload; S3 wants at least 5 MiB, and 10,000 parts at most. @default 5242880 */
  partBytes?: number;
  /** Whether all parts but the last must be of one size. @default whether the endpoint is R2's */
  equalParts?: boolean;
  /** Whether the store has UploadPartCopy, which that of Google lacks. @default true */
  copiesParts?: boolean;
  /** Parts on their way at once; a stream holds one part more in memory. @default 2 */
  partConcurrency?: number;
  /** How often the requests of a multipart upload are tried. */
  partTries?: Tries;
  /** Seconds that a signed upload URL lives. @default 7200, as on Supabase */
  signedUploadSeconds?: number;
}

/** SigV4 signs URLs for seven days at most. */
const maxSignedSeconds = 604_800;

/** Opens a store; nothing is sent until it is used. */
export function createS3Store(options: S3StoreOptions): ObjectStore {
  const client = createS3Client(options);
  const { partBytes = 5 * 1024 * 1024, partConcurrency = 2, signedUploadSeconds = 7200 } = options;
  const { copiesParts = true, equalParts = isR2(options.endpoint) } = options;

  async function putWhole(
    context: RequestContext,
    body: Uint8Array<ArrayBuffer>,
    put: PutOptions,
  ): Promise<ObjectInfo> {
    const contentType = put.contentType ?? "application/octet-stream";
    const answer = await client.send(context, "PUT", context.key, {
      headers: { "content-type": contentType, ...(put.upsert ? {} : { "if-none-match": "*" }) },
      body,
    });
    await answer.body?.cancel();
    return { size: body.byteLength, etag: unquoted(answer.headers.get("etag")), contentType };
  }

  /** Not every server minds If-None-Match on Copy, so it looks first. */
  async function refuseExisting(key: string, signal?: AbortSignal): Promise<void> {
    if (await store.head(key, { signal })) {
      throw new SedimentError("already_stored", `There is already an object ${key}`);
    }
  }

  function upload(key: string, put: PutOptions): S3Upload {
    assertObjectKey(key);
    return new S3Upload(client, key, {
      bucket: options.bucket,
      contentType: put.contentType ?? "application/octet-stream",
      upsert: put.upsert ?? false,
      partBytes,
      equalParts,
      copies: copiesParts,
      concurrency: partConcurrency,
      tries: options.partTries,
    }, put.signal);
  }

  const store: ObjectStore = {
    put(key, body, put = {}) {
      const context = { action: "put", key, signal: put.signal };
      return putWhole(context, body as Uint8Array<ArrayBuffer>, put);
    },

    async putStream(key, body, put = {}) {
      let started: S3Upload | undefined;
      try {
        started = upload(key, put);
        for await (const chunk of streamChunks(body, put.signal)) await started.write(chunk);
        return await started.finish();
      } catch (thrown) {
        await started?.abort();
        throw brokenOff({ action: "put", key, signal: put.signal }, thrown);
      } finally {
        if (!body.locked) await body.cancel().catch(() => {});
      }
    },

    startUpload(key, put = {}) {
      return Promise.try(() => upload(key, put));
    },

    abandonUploads(prefix, before, call) {
      return abandonUploads(client, prefix, before, call);
    },

    async get(key, { signal } = {}) {
      const context = { action: "get", key, signal };
      return await readExactly(context, await client.send(context, "GET", key));
    },

    async getRange(key, start, length, { signal } = {}) {
      if (length === 0) return new Uint8Array();
      const context = { action: "read a range of", key, signal };
      const range = `bytes=${start}-${start + length - 1}`;
      const answer = await client.send(context, "GET", key, { headers: { range } });
      return await sliceOf(context, answer, start, length);
    },

    async head(key, { signal } = {}) {
      const context = { action: "look up", key, signal };
      try {
        const { headers } = await client.send(context, "HEAD", key);
        const modified = headers.get("last-modified");
        return {
          size: Number(headers.get("content-length")),
          etag: unquoted(headers.get("etag")),
          contentType: headers.get("content-type") ?? undefined,
          lastModified: modified ? new Date(modified) : undefined,
        };
      } catch (thrown) {
        if (thrown instanceof SedimentError && thrown.code === "object_missing") return null;
        throw thrown;
      }
    },

    async deleteMany(keys, { signal } = {}) {
      for (let from = 0; from < keys.length; from += 1000) {
        const some = keys.slice(from, from + 1000);
        const context = { action: "delete", key: some[0], signal };
        const body = "<Delete><Quiet>true</Quiet>" +
          some.map((key) => `<Object><Key>${escapeXml(key)}</Key></Object>`).join("") + "</Delete>";
        const answer = await client.send(context, "POST", null, {
          query: { delete: "" },
          headers: {
            "content-type": "application/xml",
            "content-md5": createHash("md5").update(body).digest("base64"),
          },
          body,
        });
        assertAllDeleted(
          context,
          await answer.text().catch((thrown) => {
            throw brokenOff(context, thrown);
          }),
        );
      }
    },

    async list(prefix, { signal, cursor, limit = 1000 } = {}) {
      const xml = await client.sendForXml({ action: "list", key: prefix, signal }, "GET", null, {
        query: {
          "list-type": "2",
          prefix,
          "max-keys": String(Math.min(limit, 1000)),
          ...(cursor === undefined ? {} : { "continuation-token": cursor }),
        },
      });
      const truncated = elementText(xml, "IsTruncated") === "true";
      return {
        objects: elements(xml, "Contents").map(listedObject),
        cursor: truncated ? elementText(xml, "NextContinuationToken") : undefined,
      };
    },

    async copy(from, to, { signal } = {}) {
      assertObjectKey(from);
      await refuseExisting(to, signal);
      const source = `/${encodeURIComponent(options.bucket)}/${encodeObjectKey(from)}`;
      await client.sendForXml({ action: "copy", key: from, signal }, "PUT", to, {
        headers: {
          "x-amz-copy-source": source,
          "x-amz-metadata-directive": "REPLACE",
          "content-type": "application/octet-stream",
        },
      });
    },

    async signDownload(key, expiresInSeconds) {
      return await client.presign("GET", key, Math.min(expiresInSeconds, maxSignedSeconds));
    },

    async signDownloads(keys, expiresInSeconds) {
      const seconds = Math.min(expiresInSeconds, maxSignedSeconds);
      return new Map(
        await Promise.all(keys.map(async (key): Promise<[string, string]> => [
          key,
          await client.presign("GET", key, seconds),
        ])),
      );
    },

    async signUpload(key, { size } = {}) {
      const seconds = Math.min(signedUploadSeconds, maxSignedSeconds);
      const length = size === undefined ? undefined : { "content-length": String(size) };
      const url = await client.presign("PUT", key, seconds, length);
      return { url, expiresAt: new Date(Date.now() + seconds * 1000) };
    },
  };
  return store;
}

/** R2's S3 API is at its own hosts only. */
function isR2(endpoint: string): boolean {
  return new URL(endpoint).hostname.endsWith(".r2.cloudflarestorage.com");
}

function listedObject(xml: string): ListedObject {
  return {
    key: elementText(xml, "Key") ?? "",
    size: Number(elementText(xml, "Size")),
    etag: unquoted(elementText(xml, "ETag")),
    lastModified: new Date(elementText(xml, "LastModified") ?? NaN),
  };
}

/** The answer to DeleteObjects names what it could not delete. */
function assertAllDeleted(context: RequestContext, xml: string): void {
  const bad = elements(xml, "Error").filter((error) => elementText(error, "Code") !== "NoSuchKey");
  if (bad.length === 0) return;
  const first = `${elementText(bad[0], "Key")}: ${elementText(bad[0], "Code")}`;
  throw failed(context, `${bad.length} keys could not be deleted, the first is ${first}`);
}
