import { strict as assert } from "node:assert";
import { createProblemCounter } from "../../shared/metrics/problem_counter.ts";

/** A counter whose clock stands, and what it told. */
function world(fail: () => boolean = () => false) {
  const told: Record<string, number>[] = [];
  const clock = { now: 1_000 };
  const counter = createProblemCounter({
    everyMs: 100,
    now: () => clock.now,
    tell(counts) {
      if (fail()) return Promise.reject(new Error("the catalog is away"));
      told.push(counts);
      return Promise.resolve();
    },
  });
  return { counter, told, clock };
}

Deno.test("the first problem is told at once, and a storm once a pause", async () => {
  const { counter, told, clock } = world();
  await counter.count("rate_limited");
  for (let n = 0; n < 1_000; n++) await counter.count("rate_limited");
  await counter.count("forbidden");
  assert.deepEqual(told, [{ rate_limited: 1 }]);
  clock.now += 100;
  await counter.count("not_found");
  assert.deepEqual(told[1], { rate_limited: 1_000, forbidden: 1, not_found: 1 });
});

Deno.test("what could not be told is told with the next", async () => {
  let away = true;
  const { counter, told, clock } = world(() => away);
  await counter.count("forbidden");
  await counter.count("forbidden");
  away = false;
  clock.now += 100;
  await counter.count("not_found");
  assert.deepEqual(told, [{ forbidden: 2, not_found: 1 }]);
});

Deno.test("problems that come while sums are told are kept for the next", async () => {
  const told: Record<string, number>[] = [];
  let done = () => {};
  const clock = { now: 0 };
  const counter = createProblemCounter({
    everyMs: 10,
    now: () => clock.now,
    tell: (counts) => new Promise<void>((resolve) => (told.push(counts), done = resolve)),
  });
  const first = counter.count("a");
  await counter.count("b");
  done();
  await first;
  clock.now = 10;
  const second = counter.count("b");
  done();
  await second;
  assert.deepEqual(told, [{ a: 1 }, { b: 2 }]);
});
