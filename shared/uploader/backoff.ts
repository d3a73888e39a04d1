/** When to try again: exponential with full jitter and a cap. */
import type { Clock } from "../clock.ts";

/** Longest backoff between two attempts, in milliseconds. */
export const longestWaitMs = 3_600_000;
/** Longest Retry-After that is believed: daily quotas say up to a day. */
export const longestRetryAfterMs = 86_400_000;

/**
 * Milliseconds to wait after failure `n` (1-based): uniform in [0, min(cap, base · 2^(n−1))]. Full jitter
 * spreads clients that failed together (they all saw the server go down at once).
 */
export function backoffMs(
  clock: Pick<Clock, "random">,
  baseMs: number,
  n: number,
  capMs: number = longestWaitMs,
): number {
  return Math.round(clock.random() * ceilingMs(baseMs, n, capMs));
}

/** The longest that {@link backoffMs} can answer. */
export function ceilingMs(baseMs: number, n: number, capMs: number = longestWaitMs): number {
  return Math.min(capMs, baseMs * 2 ** Math.min(Math.max(n, 1) - 1, 40));
}

/**
 * Retry-After (RFC 9110, 10.2.3: seconds or an HTTP date) in milliseconds, or null; capped.
 *
 * @param date the answer's Date header: a date is read by the clock of the server that gave it
 */
export function retryAfterMs(
  header: string | null,
  now: number,
  date: string | null = null,
): number | null {
  if (header === null) return null;
  const text = header.trim();
  const sent = Date.parse(date ?? "");
  const wait = /^\d+$/.test(text)
    ? Number(text) * 1000
    : Date.parse(text) - (Number.isFinite(sent) ? sent : now);
  return Number.isFinite(wait) ? Math.min(Math.max(0, wait), longestRetryAfterMs) : null;
}

/**
 * Whether a time has come. A clock that was set back would make items wait for its return, so a time
 * farther off than any wait that is ever given counts as come.
 */
export function isDue(at: number, now: number, longestMs: number = longestWaitMs): boolean {
  return now >= at || at - now > longestMs + 1000;
}
