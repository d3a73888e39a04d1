import { strict as assert } from "node:assert";
import type { Pause } from "../../shared/parquet/inspect/pause.ts";
import { createCheckTurns } from "../../shared/uploads/check_turns.ts";

/** Asks for a pause before each step, as checks do. */
async function steps(pause: Pause, count: number, aheadMs: number, each: () => void) {
  for (let n = 0; n < count; n++) {
    const waiting = pause(aheadMs);
    if (waiting !== undefined) await waiting;
    each();
  }
}

Deno.test("a short check waits for nobody, whatever goes on", async () => {
  const turns = createCheckTurns();
  const { promise: forever, resolve } = Promise.withResolvers<void>();
  const long = turns.take("a", async (pause) => {
    await pause(1000);
    await forever;
  });
  await Promise.resolve();
  let asked: unknown = "nothing";
  await turns.take("b", (pause) => {
    asked = pause(1);
    return Promise.resolve();
  });
  assert.equal(asked, undefined);
  resolve();
  await long;
});

Deno.test("of long checks one works at a time, and users take turns whoever has more of them", async () => {
  const turns = createCheckTurns({ restRatio: 0 });
  const order: string[] = [];
  let inside = 0;
  const check = (user: string, name: string) =>
    turns.take(user, async (pause) => {
      await pause(1000);
      assert.equal(++inside, 1);
      order.push(name);
      await steps(pause, 3, 1, () => {});
      inside--;
    });
  await Promise.all([
    ...["m1", "m2", "m3", "m4"].map((name) => check("mallory", name)),
    check("alice", "a1"),
    check("bob", "b1"),
  ]);
  assert.deepEqual(order, ["m1", "m2", "a1", "b1", "m3", "m4"]);
});

Deno.test("a check that throws leaves its turn to the next", async () => {
  const turns = createCheckTurns();
  const broken = turns.take("a", async (pause) => {
    await pause(1000);
    throw new Error("broken file");
  });
  const next = turns.take("b", async (pause) => {
    await pause(1000);
    return "checked";
  });
  await assert.rejects(broken, /broken file/);
  assert.equal(await next, "checked");
});

Deno.test("a long check lets others go on between its steps", async () => {
  const turns = createCheckTurns({ workMs: 1, restRatio: 1 });
  let others = 0;
  const timer = setInterval(() => others++, 0);
  let seen = 0;
  await turns.take("a", async (pause) => {
    await pause(1000);
    await steps(pause, 10, 0, () => {
      seen = others;
      for (const end = performance.now() + 3; performance.now() < end;);
    });
  });
  clearInterval(timer);
  assert.ok(seen >= 5, String(seen));
});

Deno.test("a check that is no long one lets others go on too, and rests no longer than it has worked", async () => {
  const turns = createCheckTurns({ freeMs: 1_000, workMs: 1, restRatio: 1_000 });
  let seen = 0, others = 0;
  const timer = setInterval(() => others++, 0);
  await turns.take("a", async (pause) => {
    await steps(pause, 10, 0, () => {
      seen = others;
      for (const end = performance.now() + 3; performance.now() < end;);
    });
  });
  clearInterval(timer);
  assert.ok(seen >= 5, String(seen));
});

Deno.test("checks that are each shorter than a long one wait for turns where one user sends many", async () => {
  // nothing comes back while the test runs
  const turns = createCheckTurns({ freeMs: 500, restRatio: 1_000 });
  const waits = async (user: string, ms: number) => {
    let waiting: Promise<void> | undefined;
    await turns.take(user, async (pause) => {
      for (const end = performance.now() + ms; performance.now() < end;);
      waiting = pause();
      await waiting;
    });
    return waiting !== undefined;
  };
  await waits("mallory", 300);
  assert.equal(await waits("mallory", 300), true);
  assert.equal(await waits("mallory", 0), true);
  assert.equal(await waits("alice", 0), false);
});

Deno.test("a long check rests for others, and for nobody where it is alone", async () => {
  const turns = createCheckTurns({ workMs: 1, restRatio: 1_000_000 });
  let others = 0;
  const timer = setInterval(() => others++, 0);
  let seen = 0;
  const check = async (pause: Pause) => {
    await pause(1000);
    await steps(pause, 10, 0, () => {
      seen = others;
      for (const end = performance.now() + 3; performance.now() < end;);
    });
    return "checked";
  };
  assert.equal(await turns.take("a", check, () => false), "checked");
  clearInterval(timer);
  assert.ok(seen >= 5, `whatever else there is went on ${seen} times`);
});
