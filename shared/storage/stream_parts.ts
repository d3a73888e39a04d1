/**
 * Cuts a stream into parts of one size; the last may be shorter, and an empty stream is one empty part. The
 * source is cancelled when the caller stops early or the signal fires, also while a read waits.
 * @param partBytes bytes of a part; no more than one part is held
 */
export async function* streamParts(
  stream: ReadableStream<Uint8Array>,
  partBytes: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = stream.getReader();
  const stop = () => void reader.cancel(signal?.reason).catch(() => {});
  signal?.addEventListener("abort", stop, { once: true });
  let part = new Uint8Array(partBytes);
  let filled = 0;
  let given = 0;
  let ended = false;
  try {
    while (!ended) {
      signal?.throwIfAborted();
      const { done, value } = await reader.read();
      signal?.throwIfAborted();
      ended = done;
      for (let chunk = value ?? new Uint8Array(); chunk.byteLength > 0;) {
        const taken = chunk.subarray(0, partBytes - filled);
        part.set(taken, filled);
        filled += taken.byteLength;
        chunk = chunk.subarray(taken.byteLength);
        if (filled === partBytes) {
          yield part;
          part = new Uint8Array(partBytes);
          filled = 0;
          given++;
        }
      }
    }
    if (filled > 0 || given === 0) yield part.subarray(0, filled);
  } finally {
    signal?.removeEventListener("abort", stop);
    if (!ended) await reader.cancel().catch(() => {});
  }
}
