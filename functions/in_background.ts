/** What edge-runtime adds to Deno. */
interface EdgeRuntime {
  waitUntil(promise: Promise<unknown>): void;
}

/**
 * Lets work go on after the answer where the runtime can: a hosted isolate lives until it is done. Elsewhere it is waited
 * for.
 *
 * @param work that does not throw
 */
export async function inBackground(work: Promise<void>): Promise<void> {
  const edge = (globalThis as { EdgeRuntime?: EdgeRuntime }).EdgeRuntime;
  if (edge?.waitUntil === undefined) await work;
  else edge.waitUntil(work);
}

/**
 * Lets work go on after the answer that nobody waits for: where the runtime ends first, it is lost.
 *
 * @param work that does not throw
 */
export function afterAnswer(work: Promise<void>): void {
  (globalThis as { EdgeRuntime?: EdgeRuntime }).EdgeRuntime?.waitUntil?.(work);
}
