/** What can be uploaded, as pieces. */
import type { ByteSource } from "./pending_medium.ts";

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
