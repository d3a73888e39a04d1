/** The object store in memory: for tests, and for the simulation, which makes its calls fail or wait. */
import { SedimentError } from "../../shared/errors.ts";
import { brokenOff } from "../../shared/storage/http_call.ts";
import { assertObjectKey } from "../../shared/storage/object_key.ts";
import { MemoryUpload } from "./memory_upload.ts";
import type {
  CallOptions,
  ObjectInfo,
  ObjectStore,
  ObjectUpload,
  PutOptions,
} from "../../shared/storage/object_store.ts";
import { streamChunks } from "../../shared/storage/stream_chunks.ts";

/** One call, as the hooks see it. */
export interface StoreCall {
  method: keyof ObjectStore | `upload.${keyof ObjectUpload}`;
  /** The key, the first of several, or the prefix. */
  key: string;
  /** For `deleteMany`: all keys; for `copy`: the destination. */
  keys?: string[];
}

/** How the store behaves. */
export interface MemoryStoreOptions {
  /** Runs before a call has any effect; what it throws is what the caller gets. */
  before?: (call: StoreCall) => Promise<void> | void;
  /** Runs after the effect: by throwing, it loses the answer of a call that was done. */
  after?: (call: StoreCall) => Promise<void> | void;
  /** Milliseconds since 1970. @default Date.now */
  now?: () => number;
  /** More bytes are refused with `body_too_large`. @default Infinity */
  maxObjectBytes?: number;
  /** Whether objects can be written piece by piece, as on S3. @default false */
  uploads?: boolean;
}

/** The store, and what it holds. */
export interface MemoryStore extends ObjectStore {
  /** Key → object, for assertions. */
  readonly objects: ReadonlyMap<string, StoredObject>;
}

/** An object as it lies in memory. */
export interface StoredObject {
  bytes: Uint8Array;
  etag: string;
  contentType: string;
  lastModified: Date;
}

/** Makes an empty store. */
export function createMemoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  const { now = Date.now, maxObjectBytes = Infinity } = options;
  const objects = new Map<string, StoredObject>();
  let writes = 0;

  /** Runs one call between the hooks, and not at all when its signal has fired. */
  async function during<T>(
    call: StoreCall,
    { signal }: CallOptions = {},
    effect: () => T | Promise<T>,
  ): Promise<T> {
    stopIfAborted(call, signal);
    await options.before?.(call);
    stopIfAborted(call, signal);
    const result = await effect();
    await options.after?.(call);
    return result;
  }

  function find(key: string): StoredObject {
    assertObjectKey(key);
    const object = objects.get(key);
    if (object) return object;
    throw new SedimentError("object_missing", `There is no object ${key}`);
  }

  function store(key: string, bytes: Uint8Array, put: PutOptions): ObjectInfo {
    assertObjectKey(key);
    if (bytes.byteLength > maxObjectBytes) {
      throw new SedimentError("body_too_large", `${key} has ${bytes.byteLength} bytes`, {
        expected: `at most ${maxObjectBytes}`,
      });
    }
    if (!put.upsert && objects.has(key)) {
      throw new SedimentError("already_stored", `There is already an object ${key}`);
    }
    const object = {
      bytes,
      etag: `memory-${++writes}`,
      contentType: put.contentType ?? "application/octet-stream",
      lastModified: new Date(now()),
    };
    objects.set(key, object);
    return infoOf(object);
  }

  function startUpload(key: string, put: PutOptions = {}): Promise<ObjectUpload> {
    return during({ method: "startUpload", key }, put, () => {
      assertObjectKey(key);
      return new MemoryUpload({
        during: (step, effect) => during({ method: `upload.${step}`, key }, put, effect),
        read({ key, etag, start, length }) {
          const object = objects.get(key);
          return object?.etag === etag ? object.bytes.slice(start, start + length) : undefined;
        },
        store: (bytes) => store(key, bytes, put),
      });
    });
  }

  return {
    objects,

    put(key, body, put = {}) {
      return during({ method: "put", key }, put, () => store(key, body.slice(), put));
    },

    putStream(key, body, put = {}) {
      const call: StoreCall = { method: "putStream", key };
      return during(call, put, async () => {
        const bytes = await readAll(body, call, put.signal);
        return store(key, bytes, put);
      });
    },

    startUpload: options.uploads === true ? startUpload : undefined,

    get(key, call) {
      return during({ method: "get", key }, call, () => find(key).bytes.slice());
    },

    getRange(key, start, length, call) {
      return during({ method: "getRange", key }, call, () => {
        if (length === 0) return new Uint8Array();
        const { bytes } = find(key);
        if (start < bytes.byteLength) return bytes.slice(start, start + length);
        throw new SedimentError(
          "range_not_satisfiable",
          `${key} has ${bytes.byteLength} bytes; asked from ${start}`,
        );
      });
    },

    head(key, call) {
      return during({ method: "head", key }, call, () => {
        assertObjectKey(key);
        const object = objects.get(key);
        return object ? infoOf(object) : null;
      });
    },

    deleteMany(keys, call) {
      return during({ method: "deleteMany", key: keys[0] ?? "", keys }, call, () => {
        for (const key of keys) objects.delete(key);
      });
    },

    list(prefix, { cursor = "", limit = 1000, ...call } = {}) {
      return during({ method: "list", key: prefix }, call, () => {
        const size = Math.min(limit, 1000);
        const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > cursor)
          .sort();
        const page = keys.slice(0, size);
        return {
          objects: page.map((key) => ({ key, ...infoOf(objects.get(key)!) })),
          cursor: keys.length > size ? page[size - 1] : undefined,
        };
      });
    },

    copy(from, to, call) {
      return during({ method: "copy", key: from, keys: [to] }, call, () => {
        store(to, find(from).bytes, {});
      });
    },

    signDownload(key, expiresInSeconds, call) {
      return during({ method: "signDownload", key }, call, () => {
        find(key);
        return `memory:///${key}?expires=${now() + expiresInSeconds * 1000}`;
      });
    },

    signDownloads(keys, expiresInSeconds, call) {
      return during(
        { method: "signDownloads", key: keys[0] ?? "", keys },
        call,
        () =>
          new Map(keys.map((key) => [
            key,
            objects.has(key) ? `memory:///${key}?expires=${now() + expiresInSeconds * 1000}` : null,
          ])),
      );
    },

    signUpload(key, call) {
      return during({ method: "signUpload", key }, call, () => {
        assertObjectKey(key);
        return { url: `memory:///${key}?upload`, expiresAt: new Date(now() + 7_200_000) };
      });
    },
  };
}

function infoOf({ bytes, etag, contentType, lastModified }: StoredObject): ObjectInfo {
  return { size: bytes.byteLength, etag, contentType, lastModified };
}

function stopIfAborted(call: StoreCall, signal?: AbortSignal): void {
  if (!signal?.aborted) return;
  throw new SedimentError("aborted", `Was told to stop: ${call.method} ${call.key}`, {
    cause: signal.reason,
  });
}

async function readAll(
  stream: ReadableStream<Uint8Array>,
  call: StoreCall,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  try {
    const parts = await Array.fromAsync(streamChunks(stream, signal));
    const bytes = new Uint8Array(parts.reduce((size, part) => size + part.byteLength, 0));
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.byteLength;
    }
    return bytes;
  } catch (thrown) {
    throw brokenOff({ action: call.method, key: call.key, signal }, thrown);
  }
}
