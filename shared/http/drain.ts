/**
 * Reading away a body that is refused. An answer sent before the body was read makes some clients see a
 * reset connection instead of it, and edge-runtime can hang; reading without a bound would let anybody
 * keep us busy. So: a bounded number of bytes, for a bounded time, kept nowhere.
 */

/** Bounds of {@link drain}. */
export interface DrainLimits {
  /** Bytes that are read at most. @default 4 MiB */
  maxBytes?: number;
  /** Milliseconds that reading may take at most. @default 1000 */
  maxMs?: number;
}

/**
 * Reads and drops what is left of a stream, then cancels it. Never throws.
 *
 * @returns the number of bytes that were dropped
 */
export async function drain(
  body: ReadableStream<Uint8Array> | ReadableStreamDefaultReader<Uint8Array> | null,
  { maxBytes = 4 * 1024 * 1024, maxMs = 1000 }: DrainLimits = {},
): Promise<number> {
  if (body === null || (body instanceof ReadableStream && body.locked)) return 0;
  const reader = body instanceof ReadableStream ? body.getReader() : body;
  let dropped = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"late">((resolve) => timer = setTimeout(() => resolve("late"), maxMs));
  try {
    while (dropped < maxBytes) {
      const next = await Promise.race([reader.read(), late]);
      if (next === "late" || next.done) break;
      dropped += next.value.byteLength;
    }
  } catch {
    // The client went away: nobody is left to answer.
  } finally {
    clearTimeout(timer);
    reader.cancel().catch(() => {});
  }
  return dropped;
}
