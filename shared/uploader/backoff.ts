/** When to try again: exponential with full jitter and a cap. */
import type { Clock } from "./clock.ts";

/** Longest wait between two attempts, and the longest Retry-After that is believed, in milliseconds. */
export const longestWaitMs = 3_600_000;

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

/** Retry-After (RFC 9110, 10.2.3: seconds or an HTTP date) in milliseconds, or null; capped. */
export function retryAfterMs(header: string | null, now: number): number | null {
  if (header === null) return null;
  const text = header.trim();
  const wait = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isFinite(wait) ? Math.min(Math.max(0, wait), longestWaitMs) : null;
}

/**
 * Whether a time has come. A clock that was set back would make items wait for its return, so a time
 * farther off than any wait that is ever given counts as come.
 */
export function isDue(at: number, now: number): boolean {
  return now >= at || at - now > longestWaitMs + 1000;
}
