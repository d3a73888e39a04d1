import { strict as assert } from "node:assert";
import type { Clock } from "../shared/clock.ts";
import { SedimentError } from "../shared/errors.ts";
import { retry, type RetryRule } from "../shared/retry.ts";

/** A clock that waits no time and remembers how long it would have waited. */
function remembered(whileAsleep: () => void = () => {}) {
  const waits: number[] = [];
  const clock: Pick<Clock, "sleep" | "random"> = {
    random: () => 0.5,
    sleep: (ms) => {
      waits.push(ms);
      whileAsleep();
      return Promise.resolve();
    },
  };
  return { waits, clock };
}

const rule: RetryRule = { tries: 3, waitMs: (failure) => failure * 100 };

/** A call that throws these in turn, then answers "done". */
function failing(...errors: unknown[]) {
  return () => errors.length > 0 ? Promise.reject(errors.shift()) : Promise.resolve("done");
}

const outage = (retryAfterSeconds?: number) =>
  new SedimentError("store_failed", "no answer", { retryAfterSeconds });

Deno.test("what may pass is tried again after waits by the rule, and as often as it says", async () => {
  const { signal } = new AbortController();
  const first = remembered();
  const call = failing(outage(), outage());
  assert.equal(await retry(call, rule, { signal, clock: first.clock }), "done");
  assert.deepEqual(first.waits, [100, 200]);

  const last = outage();
  const second = remembered();
  await assert.rejects(
    retry(failing(outage(), outage(), last), rule, { signal, clock: second.clock }),
    (thrown) => thrown === last,
  );
  assert.deepEqual(second.waits, [100, 200]);
});

Deno.test("what will not pass, or is said to be final, is thrown at once and as it is", async () => {
  const { signal } = new AbortController();
  const { waits, clock } = remembered();
  const bad = new SedimentError("invalid_parquet", "no footer");
  await assert.rejects(retry(failing(bad), rule, { signal, clock }), (thrown) => thrown === bad);
  const mine = outage();
  const final = { ...rule, isFinal: (thrown: unknown) => thrown === mine };
  await assert.rejects(retry(failing(mine), final, { signal, clock }), (thrown) => thrown === mine);
  assert.deepEqual(waits, []);
});

Deno.test("a wish to wait is followed up to the rule's bound, and not at all where it has none", async () => {
  const { signal } = new AbortController();
  const bounded = remembered();
  const patient = { ...rule, longestRetryAfterMs: 5_000 };
  await retry(failing(outage(2), outage(60)), patient, { signal, clock: bounded.clock });
  assert.deepEqual(bounded.waits, [2_000, 5_000]);
  const deaf = remembered();
  await retry(failing(outage(2)), rule, { signal, clock: deaf.clock });
  assert.deepEqual(deaf.waits, [100]);
});

Deno.test("a signal that fires during a wait ends it as aborted, with the failure as the cause", async () => {
  const controller = new AbortController();
  const { clock } = remembered(() => controller.abort());
  const error = outage();
  let calls = 0;
  const call = () => {
    calls++;
    return Promise.reject(error);
  };
  await assert.rejects(
    retry(call, rule, { signal: controller.signal, clock }),
    (thrown) =>
      thrown instanceof SedimentError && thrown.code === "aborted" && thrown.cause === error,
  );
  assert.equal(calls, 1);
});
