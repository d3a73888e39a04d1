/** What can be uploaded, as pieces. */
import { SedimentError } from "../../../errors.ts";
import type { ByteSource } from "../pending_medium.ts";

/** Bytes read, hashed and written in one go. */
export const pieceBytes = 1024 * 1024;

/** A source as pieces. */
export async function* chunksOf(source: ByteSource): AsyncGenerator<Uint8Array> {
  if (source instanceof Uint8Array) {
    for (let at = 0; at < source.length; at += pieceBytes) {
      yield source.subarray(at, at + pieceBytes);
    }
  } else if (source instanceof Blob) {
    yield* chunksOf(source.stream());
  } else if (source instanceof ReadableStream) {
    const reader = source.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        yield value;
      }
    } finally {
      // Also when the consumer stopped early: the source must hear that nobody reads on.
      await reader.cancel().catch(() => {});
    }
  } else yield* source;
}

/**
 * Holds an upload to what may be kept, while its pieces come.
 *
 * @throws SedimentError `pending_full`
 */
export function checkSize(size: number, limit: number): void {
  if (size > limit) {
    throw new SedimentError("pending_full", `the upload has over ${limit} bytes`, {
      expected: `at most ${limit} bytes (pending.quota_bytes)`,
    });
  }
}

/** A source that ends with the signal, also while it waits for a piece that never comes. */
export function untilAborted(source: ByteSource, signal?: AbortSignal): ByteSource {
  // Bytes and blobs are there already.
  if (!signal || source instanceof Uint8Array || source instanceof Blob) return source;
  if (source instanceof ReadableStream) {
    return source.pipeThrough(new TransformStream<Uint8Array, Uint8Array>(), { signal });
  }
  return (async function* () {
    const pieces = chunksOf(source);
    const aborted = new Promise<never>((_, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    aborted.catch(() => {});
    try {
      for (;;) {
        const { done, value } = await Promise.race([pieces.next(), aborted]);
        if (done) return;
        yield value;
      }
    } finally {
      // Not waited for: a generator that hangs in next() never gets to its return().
      void pieces.return(undefined).catch(() => {});
    }
  })();
}
