/**
 * Reads an answer's body piece by piece. A signal that fires ends it, also where the body does not hear of it; throws
 * what the body fails with.
 * @param take gives false when it wants no more
 */
export async function readBody(
  response: Response,
  signal: AbortSignal,
  take: (piece: Uint8Array) => boolean,
): Promise<void> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  const cancel = () => void reader.cancel(signal.reason).catch(() => {});
  signal.addEventListener("abort", cancel, { once: true });
  try {
    if (signal.aborted) cancel();
    while (true) {
      const { done, value } = await reader.read();
      if (done) break;
      if (!take(value)) {
        await reader.cancel().catch(() => {});
        break;
      }
    }
    signal.throwIfAborted();
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}
