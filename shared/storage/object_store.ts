/**
 * The port to the object store. Adapters: `supabase_store.ts`, `s3_store.ts` and, for tests and the
 * simulation, `memory_store.ts`, all held to `tests/conformance/object_store.ts`. Storage is never the commit
 * point: what exists is what the catalog's `objects` table says.
 */

/** What a store knows of an object. */
export interface ObjectInfo {
  /** Size in bytes. */
  size: number;
  /** Entity tag as the store gives it, without the quotes. */
  etag: string;
  /** MIME type, where the store keeps one. */
  contentType?: string;
  /** Last write. */
  lastModified?: Date;
}

/** One row of a listing. */
export interface ListedObject extends ObjectInfo {
  key: string;
}

/** Options that every call takes. */
export interface CallOptions {
  /** Stops the call; it then throws `aborted`. */
  signal?: AbortSignal;
}

/** Options of a write. */
export interface PutOptions extends CallOptions {
  /** @default "application/octet-stream" */
  contentType?: string;
  /**
   * Whether an existing object may be replaced; when not, `already_stored` is thrown. A best effort: of two
   * racers on one key, both may succeed.
   * @default false
   */
  upsert?: boolean;
  /**
   * Whether the store is asked for the object's ETag where its answer to the write does not tell; when not, the
   * ETag is empty there. @default true
   */
  wantsEtag?: boolean;
}

/** Bytes of an object, as it was when it had that ETag. */
export interface StoredRange {
  key: string;
  /** Without quotes, as {@link ObjectInfo} has it. */
  etag: string;
  start: number;
  length: number;
}

/**
 * An object on its way, piece by piece: once {@link finish} was done it is there, whole, and never before. What dies
 * with its writer stays invisible ({@link ObjectStore.abandonUploads}). Calls come one after the other.
 */
export interface ObjectUpload {
  /** Bytes that are in memory now: what was not yet sent, and what is on its way. */
  readonly heldBytes: number;
  /** Appends a copy of the bytes. Resolves when more may come: who is faster than the store waits here. */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Appends a range of another object of this store, which the store copies by itself as far as its rules on parts allow;
   * the rest is read and sent. False, and nothing is appended, where that can't be: the object has another ETag or is
   * gone, the range is too short, the store has no such thing.
   */
  copyFrom(range: StoredRange): Promise<boolean>;
  /**
   * Ends the object; `already_stored` as for a put. May be called again when it failed, which is how to learn whether
   * a lost answer was a success; then it gives what the first call should have given.
   */
  finish(): Promise<ObjectInfo>;
  /** Gives up what is not finished, also after the signal fired. Never throws. */
  abort(): Promise<void>;
}

/**
 * Objects under keys (`object_key.ts` says which; others are `invalid_name`). All methods throw
 * `SedimentError`: `store_failed` (retryable) when the store does not answer as it should, `aborted` when the
 * signal fired, `misconfigured` when there is no such bucket or the key to it is refused, `body_too_large`
 * when the bucket does not take that many bytes. Nothing is retried here, for callers know what a
 * retry may cost; except the parts of a stream, which nobody else has any more.
 * A write that throws leaves no object, or, when its answer was lost, the whole one; never a part of it.
 */
export interface ObjectStore {
  /** Writes one object of known bytes. */
  put(key: string, body: Uint8Array, options?: PutOptions): Promise<ObjectInfo>;
  /** Writes one object from a stream; `size` in bytes, when it is known, lets adapters avoid multipart. */
  putStream(
    key: string,
    body: ReadableStream<Uint8Array>,
    options?: PutOptions & { size?: number },
  ): Promise<ObjectInfo>;
  /**
   * Begins an object that is written piece by piece. Not every store can: Supabase Storage takes one PUT of known
   * bytes.
   */
  startUpload?(key: string, options?: PutOptions): Promise<ObjectUpload>;
  /**
   * Gives up uploads below a prefix that were begun before a time and never ended: nobody sees their parts, and
   * somebody pays for them. Resolves to how many there were.
   */
  abandonUploads?(prefix: string, before: Date, options?: CallOptions): Promise<number>;
  /** The whole object; `object_missing` when there is none. */
  get(key: string, options?: CallOptions): Promise<Uint8Array>;
  /**
   * Bytes [start, start + length); shorter at the object's end, none for a length of 0. `object_missing`;
   * `range_not_satisfiable` when nothing is at `start`.
   */
  getRange(key: string, start: number, length: number, options?: CallOptions): Promise<Uint8Array>;
  /** What the store knows of a key, or null. */
  head(key: string, options?: CallOptions): Promise<ObjectInfo | null>;
  /** Deletes; keys that are not there are no error. */
  deleteMany(keys: string[], options?: CallOptions): Promise<void>;
  /** Objects below a prefix in key order, a page at a time (at most 1,000). */
  list(
    prefix: string,
    options?: CallOptions & { cursor?: string; limit?: number },
  ): Promise<{ objects: ListedObject[]; cursor?: string }>;
  /**
   * Server-side copy to a key that is free, as application/octet-stream whatever its source was put as: some were put
   * by clients. `object_missing`, `already_stored`.
   */
  copy(from: string, to: string, options?: CallOptions): Promise<void>;
  /** A URL that anybody may GET, with Range, until it expires; at most seven days, which is S3's bound. */
  signDownload(key: string, expiresInSeconds: number, options?: CallOptions): Promise<string>;
  /** The same for many keys, by as few requests as the store needs; null for one that is known not to be there. */
  signDownloads(
    keys: string[],
    expiresInSeconds: number,
    options?: CallOptions,
  ): Promise<Map<string, string | null>>;
  /**
   * A URL that takes a PUT of the object until it expires; a second PUT may be refused or replace it.
   *
   * @param options `size`: the length that the body must have, where the store can hold it to that (S3 can)
   */
  signUpload(
    key: string,
    options?: CallOptions & { size?: number },
  ): Promise<{ url: string; expiresAt: Date }>;
}
