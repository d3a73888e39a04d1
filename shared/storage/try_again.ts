/** Tries of what may be done twice, with waits that grow. */
import { SedimentError } from "../errors.ts";

/** How often, and how long between. */
export interface Tries {
  /** Tries in all. @default 3 */
  tries?: number;
  /** Wait after the first failure, doubled with each further one, half of it by chance. @default 200 */
  waitMs?: number;
}

/** No store's wish to wait is followed for longer than this. */
const longestWaitMs = 5_000;

/**
 * Makes a call until it succeeds, fails for good, or has failed often enough; gives the last failure. Where the store
 * said how long to wait (Retry-After), that is waited, up to 5 s.
 *
 * @param signal ends the waits: no further try is made
 */
export async function tryAgain<T>(
  call: () => Promise<T>,
  signal: AbortSignal,
  { tries = 3, waitMs = 200 }: Tries = {},
): Promise<T> {
  for (let failures = 0;;) {
    try {
      return await call();
    } catch (thrown) {
      const again = thrown instanceof SedimentError && thrown.retryable && !signal.aborted;
      if (!again || ++failures >= tries) throw thrown;
      const own = waitMs * 2 ** (failures - 1) * (0.5 + Math.random() / 2);
      await pause(
        Math.min(longestWaitMs, Math.max(own, (thrown.retryAfterSeconds ?? 0) * 1000)),
        signal,
      );
      if (!signal.aborted) continue;
      throw new SedimentError("aborted", `Was told to stop: ${thrown.message}`, { cause: thrown });
    }
  }
}

/** Waits, or less when the signal fires. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end, { once: true });
  });
}
