/**
 * The object store on Supabase Storage, by its REST API. Plain `fetch` and not storage-js, because that has no
 * Range, takes an AbortSignal in few calls, turns a Blob into multipart, and holds every download whole.
 */
import { SedimentError } from "../errors.ts";
import {
  failed,
  readExactly,
  readJson,
  type RequestContext,
  sliceOf,
  watchStream,
} from "./http_call.ts";
import { assertObjectKey, encodeObjectKey, encodeSignedKey } from "./object_key.ts";
import type { ListedObject, ObjectInfo, ObjectStore, PutOptions } from "./object_store.ts";
import { openStorageApi, storageError } from "./supabase_api.ts";
import { tokenExpiry } from "./token_expiry.ts";

/** Where a store is and who may use it. */
export interface SupabaseStoreOptions {
  /** The project's URL, without `/storage/v1`. */
  url: string;
  /** A secret key (`sb_secret_…`) or a service_role JWT. */
  secretKey: string;
  bucket: string;
  /** @default globalThis.fetch */
  fetch?: typeof fetch;
}

interface ObjectFacts {
  size: number;
  etag: string | null;
  content_type: string | null;
  last_modified: string;
}

/** One answer of the route that signs many. */
interface SignedRow {
  signedURL: string | null;
  error?: string | null;
}

interface ListPage {
  hasNext: boolean;
  nextCursor?: string;
  objects: ListedRow[];
}

interface ListedRow {
  key?: string;
  name: string;
  updated_at: string;
  metadata: { size?: number; eTag?: string; mimetype?: string } | null;
}

/** Keys that are signed by one request. */
const signedAtOnce = 500;

/** Opens a store; nothing is sent until it is used. */
export function createSupabaseStore(options: SupabaseStoreOptions): ObjectStore {
  const base = options.url.replace(/\/+$/, "") + "/storage/v1";
  const bucket = encodeURIComponent(options.bucket);
  const { send, call, callJson } = openStorageApi(options);
  const objectUrl = (route: string, key: string) => {
    assertObjectKey(key);
    return `${base}/${route}/${bucket}/${encodeObjectKey(key)}`;
  };

  /** Of the answer only the token is taken, and the key as it was asked for; null where there is no object. */
  function signedUrl(key: string, row: SignedRow | undefined): string | null {
    const [, token] = /\?token=([^?&]+)$/.exec(row?.signedURL ?? "") ?? [];
    if (token === undefined) return null;
    return new URL(`${base}/object/sign/${bucket}/${encodeSignedKey(key)}?token=${token}`).href;
  }

  async function write(
    context: RequestContext,
    key: string,
    body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>,
    put: Pick<PutOptions, "contentType" | "upsert" | "wantsEtag">,
    sent: () => number,
  ): Promise<ObjectInfo> {
    const response = await call(context, "POST", objectUrl("object", key), {
      headers: {
        "content-type": put.contentType ?? "application/octet-stream",
        // Our keys are never written twice, so caches on the way may keep them.
        "cache-control": put.upsert ? "no-cache" : "max-age=31536000, immutable",
        "x-upsert": String(put.upsert ?? false),
      },
      body,
    });
    await response.body?.cancel();
    if (put.wantsEtag === false) return { size: sent(), etag: "" };
    // The upload's answer tells neither size nor ETag.
    const info = await store.head(key, { signal: context.signal });
    if (info?.size === sent()) return info;
    throw failed(context, `${sent()} bytes were sent, the store has ${info?.size ?? "no object"}`);
  }

  const store: ObjectStore = {
    put(key, body, put = {}) {
      const context = { action: "put", key, signal: put.signal };
      return write(context, key, body as Uint8Array<ArrayBuffer>, put, () => body.byteLength);
    },

    async putStream(key, body, put = {}) {
      const { stream, count, failure } = watchStream(body);
      try {
        return await write({ action: "put", key, signal: put.signal }, key, stream, put, count);
      } catch (thrown) {
        // The source's own error says more than that a request broke.
        throw failure() instanceof SedimentError ? failure() : thrown;
      }
    },

    async get(key, { signal } = {}) {
      const context = { action: "get", key, signal };
      const response = await call(context, "GET", objectUrl("object/authenticated", key));
      return await readExactly(context, response);
    },

    async getRange(key, start, length, { signal } = {}) {
      if (length === 0) return new Uint8Array();
      const context = { action: "read a range of", key, signal };
      const url = objectUrl("object/authenticated", key);
      const headers = { range: `bytes=${start}-${start + length - 1}` };
      const response = await send(context, "GET", url, { headers });
      if (response.ok) return await sliceOf(context, response, start, length);
      const refusal = await storageError(context, response);
      // On its S3 backend Storage answers 500 to what S3 answers 416; only the object's size tells it from a fault.
      const size = response.status === 500 && (await store.head(key, { signal }))?.size;
      if (typeof size === "number" && size <= start) {
        throw new SedimentError(
          "range_not_satisfiable",
          `${key} has ${size} bytes; asked from ${start}`,
          { cause: refusal },
        );
      }
      throw refusal;
    },

    async head(key, { signal } = {}) {
      const context = { action: "look up", key, signal };
      try {
        // Not HEAD: without a body, a missing object and a missing bucket look the same.
        const response = await call(context, "GET", objectUrl("object/info/authenticated", key));
        const info = await readJson<ObjectFacts>(context, response);
        return {
          size: info.size,
          etag: unquoted(info.etag),
          contentType: info.content_type ?? undefined,
          lastModified: new Date(info.last_modified),
        };
      } catch (thrown) {
        if (thrown instanceof SedimentError && thrown.code === "object_missing") return null;
        throw thrown;
      }
    },

    async deleteMany(keys, { signal } = {}) {
      for (let from = 0; from < keys.length; from += 1000) {
        const prefixes = keys.slice(from, from + 1000);
        const context = { action: "delete", key: prefixes[0], signal };
        const response = await callJson(context, "DELETE", `${base}/object/${bucket}`, {
          prefixes,
        });
        await response.body?.cancel();
      }
    },

    async list(prefix, { signal, cursor, limit = 1000 } = {}) {
      const context = { action: "list", key: prefix, signal };
      const response = await callJson(context, "POST", `${base}/object/list-v2/${bucket}`, {
        prefix,
        limit: Math.min(limit, 1000),
        cursor,
        with_delimiter: false,
      });
      const page = await readJson<ListPage>(context, response);
      return {
        objects: page.objects.map((row) => listedObject(row, prefix)),
        cursor: page.hasNext ? page.nextCursor : undefined,
      };
    },

    async copy(from, to, { signal } = {}) {
      const context = { action: "copy", key: from, signal };
      assertObjectKey(from);
      assertObjectKey(to);
      const response = await callJson(context, "POST", `${base}/object/copy`, {
        bucketId: options.bucket,
        sourceKey: from,
        destinationKey: to,
        copyMetadata: false,
        metadata: {
          mimetype: "application/octet-stream",
          cacheControl: "max-age=31536000, immutable",
        },
      });
      await response.body?.cancel();
    },

    async signDownload(key, expiresInSeconds, { signal } = {}) {
      const context = { action: "sign a download of", key, signal };
      assertObjectKey(key);
      // By the route for many: it takes the key in the body, and not decoded from a path, which Storage does in part.
      const response = await callJson(context, "POST", `${base}/object/sign/${bucket}`, {
        expiresIn: expiresInSeconds,
        paths: [key],
      });
      const [row] = await readJson<SignedRow[]>(context, response);
      const url = signedUrl(key, row);
      if (url !== null) return url;
      throw new SedimentError(
        "object_missing",
        `Could not ${context.action} ${key}: ${row?.error ?? "no URL came"}`,
      );
    },

    async signDownloads(keys, expiresInSeconds, { signal } = {}) {
      const signed = new Map<string, string | null>();
      for (let from = 0; from < keys.length; from += signedAtOnce) {
        const paths = keys.slice(from, from + signedAtOnce);
        const context = { action: "sign downloads beginning with", key: paths[0], signal };
        const response = await callJson(context, "POST", `${base}/object/sign/${bucket}`, {
          expiresIn: expiresInSeconds,
          paths,
        });
        const rows = await readJson<SignedRow[]>(context, response);
        // in the order in which they were asked for
        for (const [index, key] of paths.entries()) signed.set(key, signedUrl(key, rows[index]));
      }
      return signed;
    },

    async signUpload(key, { signal } = {}) {
      const context = { action: "sign an upload of", key, signal };
      assertObjectKey(key);
      const url = `${base}/object/upload/sign/${bucket}/${encodeSignedKey(key)}`;
      const response = await callJson(context, "POST", url, {});
      const signed = await readJson<{ url: string; token: string }>(context, response);
      return { url: new URL(base + signed.url).href, expiresAt: tokenExpiry(signed.token) };
    },
  };
  return store;
}

/** The whole key is in `name`, in `key` or, by version, in neither: what follows the prefix then is. */
function listedObject(row: ListedRow, prefix: string): ListedObject {
  const { name, key = "" } = row;
  const longer = key.length > name.length ? key : name;
  return {
    key: longer.startsWith(prefix) ? longer : prefix + longer,
    size: row.metadata?.size ?? 0,
    etag: unquoted(row.metadata?.eTag),
    contentType: row.metadata?.mimetype,
    lastModified: new Date(row.updated_at),
  };
}

function unquoted(etag: string | null | undefined): string {
  return (etag ?? "").replace(/^(W\/)?"(.*)"$/, "$2");
}
