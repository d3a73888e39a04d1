/** The order of a batch: one item at a time until one has gone through, then several at once. */
import type { Clock } from "../../clock.ts";
import type { PendingItem } from "../pending/pending_record.ts";

/** How a batch goes. */
export interface SendBatchParts {
  concurrency: number;
  /** Pause after each item. */
  pauseMs: number;
  clock: Clock;
  signal: AbortSignal;
  /** `well`: it went through. `on`: the next, please. `over`: the batch ends. Must not throw. */
  tryOne(item: PendingItem): Promise<"well" | "on" | "over">;
}

/**
 * Tries items in their order. When the server or the session is in trouble, a batch costs one request
 * rather than `concurrency` of them.
 *
 * @returns how many were not tried
 */
export async function sendBatch(items: PendingItem[], parts: SendBatchParts): Promise<number> {
  const { concurrency, pauseMs, clock, signal, tryOne } = parts;
  let next = 0, over = false, wellOnce = false;
  const more = () => !over && !signal.aborted && next < items.length;
  const worker = async (goOn: () => boolean) => {
    while (more() && goOn()) {
      const ended = await tryOne(items[next++]);
      if (ended === "over") over = true;
      if (ended === "well") wellOnce = true;
      if (pauseMs > 0 && more()) await clock.sleep(pauseMs, signal);
    }
  };
  await worker(() => !wellOnce);
  await Promise.all(Array.from({ length: concurrency }, () => worker(() => true)));
  return items.length - next;
}
