/** The one loop that tries again. */
import { type Clock, systemClock } from "./clock.ts";
import { asSedimentError, SedimentError } from "./errors.ts";

/** How often, and how long between. */
export interface RetryRule {
  /** Tries in all. */
  tries: number;
  /** Wait after failure number `failure` (1 for the first), milliseconds. */
  waitMs(failure: number, clock: Pick<Clock, "random">): number;
  /** Where the error says how long to wait (Retry-After), that is waited, up to so many milliseconds. @default 0 */
  longestRetryAfterMs?: number;
  /** Whether something that was thrown is the end, whatever it is. @default nothing is */
  isFinal?(thrown: unknown): boolean;
}

/** What {@link retry} works with. */
export interface RetryTools {
  /** Ends the waits and further tries, with `aborted`. */
  signal: AbortSignal;
  /** @default the machine's */
  clock?: Pick<Clock, "sleep" | "random">;
}

/**
 * Makes a call until it succeeds, fails for good, or has failed often enough. Whether an error may pass is a property
 * of its code (`retryable`).
 *
 * @throws the last failure, as it was thrown; SedimentError `aborted` when the signal has fired
 */
export async function retry<T>(
  call: () => Promise<T>,
  { tries, waitMs, longestRetryAfterMs = 0, isFinal = () => false }: RetryRule,
  { signal, clock = systemClock }: RetryTools,
): Promise<T> {
  for (let failures = 0;;) {
    try {
      return await call();
    } catch (thrown) {
      const error = asSedimentError(thrown);
      const again = error.retryable && error.code !== "aborted" && !isFinal(thrown) &&
        !signal.aborted && ++failures < tries;
      if (!again) throw thrown;
      const asked = Math.min(longestRetryAfterMs, (error.retryAfterSeconds ?? 0) * 1000);
      await clock.sleep(Math.max(waitMs(failures, clock), asked), signal);
      if (!signal.aborted) continue;
      throw new SedimentError("aborted", `Was told to stop: ${error.message}`, { cause: thrown });
    }
  }
}
