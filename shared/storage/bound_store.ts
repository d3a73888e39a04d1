/**
 * A store whose calls end: a connection that died in silence must hold neither a reader nor an upload. What can be
 * asked twice without harm is, once, where the store did not answer as it should.
 */
import { asSedimentError, SedimentError } from "../errors.ts";
import type { CallOptions, ObjectStore } from "./object_store.ts";

/** How long calls may take, milliseconds. */
export interface StoreDeadlines {
  /** Of a call that carries no bytes. @default 10,000 */
  callMs?: number;
  /** Of one that reads or writes, before its bytes are counted. @default 20,000 */
  bytesMs?: number;
  /** On top, for each MiB; a put's count four times, uploads of clients' own lines pass through it. @default 1,000 */
  perMiBMs?: number;
}

/** Bounds every call but the streams, whose pace is the sender's: an upload in parts and a put of unknown bytes. */
export function boundStore(store: ObjectStore, deadlines: StoreDeadlines = {}): ObjectStore {
  const { callMs = 10_000, bytesMs = 20_000, perMiBMs = 1_000 } = deadlines;
  const forBytes = (bytes: number, times = 1) => bytesMs + times * perMiBMs * bytes / 2 ** 20;

  async function within<T>(
    ms: number,
    options: CallOptions | undefined,
    call: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const ending = new AbortController();
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      ending.abort();
    }, ms);
    const own = options?.signal;
    // by hand, which takes 3 µs of CPU: AbortSignal.any takes 7
    const stop = () => ending.abort(own!.reason);
    if (own?.aborted) stop();
    else own?.addEventListener("abort", stop, { once: true });
    try {
      return await call(ending.signal);
    } catch (thrown) {
      if (!late || own?.aborted) throw thrown;
      throw new SedimentError("store_failed", `The store gave no answer in ${Math.round(ms)} ms`, {
        cause: thrown,
      });
    } finally {
      clearTimeout(timer);
      own?.removeEventListener("abort", stop);
    }
  }

  async function twice<T>(
    ms: number,
    options: CallOptions | undefined,
    call: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    try {
      return await within(ms, options, call);
    } catch (thrown) {
      if (asSedimentError(thrown).code !== "store_failed" || options?.signal?.aborted) throw thrown;
      return await within(ms, options, call);
    }
  }

  return {
    put: (key, body, options) =>
      within(
        forBytes(body.byteLength, 4),
        options,
        (signal) => store.put(key, body, { ...options, signal }),
      ),
    putStream: (key, body, options) => store.putStream(key, body, options),
    startUpload: store.startUpload && ((key, options) => store.startUpload!(key, options)),
    abandonUploads: store.abandonUploads &&
      ((prefix, before, options) => store.abandonUploads!(prefix, before, options)),
    // how much comes is not known: what an object may have
    get: (key, options) =>
      within(forBytes(50 * 2 ** 20), options, (signal) => store.get(key, { ...options, signal })),
    getRange: (key, start, length, options) =>
      twice(
        forBytes(length),
        options,
        (signal) => store.getRange(key, start, length, { ...options, signal }),
      ),
    head: (key, options) =>
      twice(callMs, options, (signal) => store.head(key, { ...options, signal })),
    deleteMany: (keys, options) =>
      within(
        callMs * (1 + Math.ceil(keys.length / 100)),
        options,
        (signal) => store.deleteMany(keys, { ...options, signal }),
      ),
    list: (prefix, options) =>
      twice(2 * callMs, options, (signal) => store.list(prefix, { ...options, signal })),
    // a copy takes as long as the bytes do, inside the store
    copy: (from, to, options) =>
      within(
        forBytes(500 * 2 ** 20),
        options,
        (signal) => store.copy(from, to, { ...options, signal }),
      ),
    signDownload: (key, seconds, options) =>
      twice(callMs, options, (signal) => store.signDownload(key, seconds, { ...options, signal })),
    signDownloads: (keys, seconds, options) =>
      twice(
        callMs,
        options,
        (signal) => store.signDownloads(keys, seconds, { ...options, signal }),
      ),
    signUpload: (key, options) =>
      twice(callMs, options, (signal) => store.signUpload(key, { ...options, signal })),
  };
}
