import { strict as assert } from "node:assert";
import fc from "../support/fast_check.ts";
import {
  backoffMs,
  ceilingMs,
  isDue,
  longestRetryAfterMs,
  longestWaitMs,
  retryAfterMs,
} from "../../shared/uploader/backoff.ts";

Deno.test("a backoff is never negative, never above its ceiling, and the ceiling never above the cap", () => {
  const random = fc.double({ min: 0, max: 0.999999, noNaN: true });
  fc.assert(fc.property(random, fc.nat(10_000_000), fc.nat(5000), (chance, base, n) => {
    const wait = backoffMs({ random: () => chance }, base, n);
    assert.ok(wait >= 0 && wait <= ceilingMs(base, n) && ceilingMs(base, n) <= longestWaitMs);
  }));
});

Deno.test("the ceiling doubles with each failure until the cap", () => {
  const ceilings = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => ceilingMs(60_000, n) / 1000);
  assert.deepEqual(ceilings, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
});

Deno.test("Retry-After is read as seconds and as a date, and nothing else", () => {
  const now = Date.UTC(2026, 10, 22, 12);
  assert.equal(retryAfterMs("7", now), 7000);
  assert.equal(retryAfterMs(" 0 ", now), 0);
  assert.equal(retryAfterMs("Sun, 22 Nov 2026 12:00:30 GMT", now), 30_000);
  assert.equal(retryAfterMs("Sun, 22 Nov 2026 11:00:00 GMT", now), 0);
  assert.equal(retryAfterMs("99999999999999999999", now), longestRetryAfterMs);
  const server = "Sun, 22 Nov 2026 11:59:00 GMT"; // its clock is a minute behind ours
  assert.equal(retryAfterMs("Sun, 22 Nov 2026 11:59:30 GMT", now, server), 30_000);
  assert.equal(retryAfterMs("7", now, server), 7000);
  assert.equal(retryAfterMs("soon", now), null);
  assert.equal(retryAfterMs("-5x", now), null);
  assert.equal(retryAfterMs(null, now), null);
});

Deno.test("a time that a clock set back has moved out of reach counts as come", () => {
  const now = Date.UTC(2026, 10, 22);
  assert.equal(isDue(now + 1000, now), false);
  assert.equal(isDue(now, now), true);
  assert.equal(isDue(now + longestWaitMs, now), false);
  assert.equal(isDue(now + 365 * 86_400_000, now), true);
});
