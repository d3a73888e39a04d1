import { strict as assert } from "node:assert";
import { createRateLimit } from "../../shared/http/rate_limit.ts";
import type { SedimentError } from "../../shared/errors.ts";
import { thrownBy } from "../support/thrown_by.ts";

function limit(perMinute: number, burst: number) {
  let at = 0;
  const made = createRateLimit({ name: "reads", perMinute, burst, refusalMs: 0, now: () => at });
  return { spend: made.spend, pass: (ms: number) => void (at += ms) };
}

Deno.test("so many at once, then evenly as many as a minute has", async () => {
  const { spend, pass } = limit(60, 3);
  for (let n = 0; n < 3; n++) await spend("a");
  const refused: SedimentError = await thrownBy(spend("a"));
  assert.equal(refused.code, "rate_limited");
  assert.deepEqual(refused.extra, { limit: "reads" });
  assert.ok(refused.retryAfterSeconds! >= 1);
  pass(999);
  await thrownBy(spend("a"));
  pass(1);
  await spend("a");
  await thrownBy(spend("a"));
});

Deno.test("who pauses for long has no more than the burst", async () => {
  const { spend, pass } = limit(60, 3);
  await spend("a");
  pass(1_000_000);
  for (let n = 0; n < 3; n++) await spend("a");
  await thrownBy(spend("a"));
});

Deno.test("one asker's asking takes nothing from another", async () => {
  const { spend } = limit(60, 1);
  await spend("a");
  await thrownBy(spend("a"));
  await spend("b");
});

Deno.test("a refusal waits, so that a loop of them is a slow one", async () => {
  const slow = createRateLimit({ name: "reads", perMinute: 60, burst: 1, refusalMs: 30 });
  await slow.spend("a");
  let refused = false;
  const call = thrownBy(slow.spend("a")).then(() => refused = true);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(refused, false);
  await call;
});
