import { strict as assert } from "node:assert";
import { type Sabotage, sabotages } from "./sabotage.ts";
import { runAuthLoop, runPoison, runSeed, scenarios } from "./seed.ts";

Deno.test("eight seeds of crashes, lost answers, storms and clock jumps break no promise", async () => {
  let faults = 0, stored = 0;
  for (let seed = 1; seed <= 8; seed++) {
    const result = await runSeed(seed);
    assert.deepEqual(result.violations, [], `seed ${seed}`);
    faults += result.faults;
    stored += result.stored;
  }
  assert.ok(
    faults > 80 && stored > 40,
    `${faults} faults, ${stored} stored: the world is too calm`,
  );
});

Deno.test("the authentication loop is one pending item and at most 18 requests in 12 hours", async () => {
  const result = await runAuthLoop(1);
  assert.deepEqual(result.violations, []);
  assert.equal(result.pending, 1);
  assert.ok(result.requests >= 2 && result.requests <= 18, `${result.requests}`);
  assert.equal(result.stored, 1);
});

Deno.test("bytes that kill their sender are dead after five deaths, and the others arrive", async () => {
  const result = await runPoison(1);
  assert.deepEqual(result.violations, []);
});

Deno.test("a seed replays exactly", async () => {
  const first = await runSeed(7), second = await runSeed(7);
  assert.ok(first.trace.length > 100);
  assert.deepEqual(second.trace, first.trace);
});

for (const name of Object.keys(sabotages) as Sabotage[]) {
  Deno.test(`without its guard (${name}: ${sabotages[name]}) the simulation finds a violation`, async () => {
    for (const run of Object.values(scenarios)) {
      if ((await run(1, name)).violations.length > 0) return;
    }
    for (let seed = 1; seed <= 60; seed++) {
      if ((await runSeed(seed, name)).violations.length > 0) return;
    }
    assert.fail("60 seeds found nothing");
  });
}
