import assert from "node:assert/strict";
import { createWorkShares, type WorkSharesOptions } from "../shared/work_shares.ts";
import { thrownBy } from "./support/thrown_by.ts";

/** Accounts on a clock that goes on to the next one who waits, whenever nothing else goes on. */
function world(options: WorkSharesOptions = {}) {
  let now = 0;
  const clock = {
    monotonic: () => now,
    async sleep(ms: number) {
      const until = now + ms;
      // whoever is to wake first gets there first: a wake-up is a macrotask of this order
      sleepers.push(until);
      sleepers.sort((a, b) => a - b);
      while (true) {
        await new Promise((resolve) => setTimeout(resolve));
        if (sleepers[0] !== until && now < until) continue;
        now = Math.max(now, until);
        sleepers.splice(sleepers.indexOf(until), 1);
        return;
      }
    },
  };
  const sleepers: number[] = [];
  return { shares: createWorkShares({ clock, ...options }), clock, at: () => now };
}

Deno.test("a user who is alone waits for nothing, whatever it cost", async () => {
  const { shares, at } = world();
  for (let n = 0; n < 50; n++) {
    await shares.admit("m");
    using work = await shares.begin("m");
    work.cost(1_000);
  }
  assert.equal(at(), 0);
});

Deno.test("while others are there, who has taken more than is free waits until it is paid off", async () => {
  const { shares, at } = world({ freeMs: 100, share: 0.1, requestMs: 2 });
  await shares.admit("b");
  {
    using work = await shares.begin("m");
    work.cost(150);
  }
  await shares.admit("m");
  assert.equal(at(), 500, "50 ms too many, at a tenth of the time");
  await shares.admit("b");
  assert.equal(at(), 500, "the other waits for nothing");
});

Deno.test("who only reads is there too", async () => {
  const { shares } = world();
  assert.equal(shares.hasOthers("m"), false);
  shares.come("m");
  assert.equal(shares.hasOthers("m"), false);
  assert.equal(shares.hasOthers("b"), true);
  shares.come("b");
  await shares.admit("m");
  assert.equal(shares.hasOthers("m"), true);
});

Deno.test("what reading a body takes is paid for at the door", async () => {
  const { shares, at } = world({ freeMs: 0, share: 0.1, requestMs: 2, presentMs: 10_000 });
  await shares.admit("b");
  await shares.admit("m", undefined, 8);
  await shares.admit("m");
  assert.equal(at(), 100, "2 + 8 ms, at a tenth of the time");
});

Deno.test("what a user's requests do by the byte takes a tenth of the time together while others are there", async () => {
  const { shares, at } = world({ share: 0.1, presentMs: 10_000 });
  assert.equal(shares.pace("m", 50), undefined, "nobody waits for itself");
  await shares.admit("b");
  shares.come("m");
  const ends: number[] = [];
  await Promise.all([1, 2, 3].map(async () => {
    await shares.pace("m", 5);
    ends.push(at());
  }));
  assert.deepEqual(ends, [40, 90, 140], "one is free");
  assert.equal(shares.pace("b", 0.05), undefined, "small bodies of others wait for nothing");
});

Deno.test("what is paced goes on when the others have gone", async () => {
  const { shares, at } = world({ share: 0.1, presentMs: 1_000 });
  await shares.admit("b");
  shares.come("m");
  await shares.pace("m", 500);
  assert.equal(at(), 1_250, "at the next look, and not after 5 s");
});

Deno.test("requests of a user who waits go on one after the other, each paid for", async () => {
  const { shares, at } = world({ freeMs: 0, share: 0.1, requestMs: 2, presentMs: 10_000 });
  await shares.admit("b");
  const ends: number[] = [];
  await Promise.all([1, 2, 3, 4].map(async () => {
    await shares.admit("m");
    ends.push(at());
  }));
  assert.deepEqual(ends, [0, 20, 40, 60]);
});

Deno.test("what would wait for too long is refused with the seconds until there is room", async () => {
  const { shares, at } = world({ longestWaitMs: 5_000, presentMs: 60_000 });
  await shares.admit("b");
  {
    using work = await shares.begin("m");
    work.cost(1_100);
  }
  const error = await thrownBy(shares.admit("m"));
  assert.equal(error.code, "rate_limited");
  assert.equal(error.extra?.limit, "work_share");
  assert.equal(at(), 1_000, "the refusal itself waits a second");
  assert.equal(error.retryAfterSeconds, 9, "(1100 - 100) ms at a tenth are 10 s, less that second");
});

Deno.test("who waits goes on when the others are gone", async () => {
  const { shares, at } = world({ presentMs: 1_000 });
  await shares.admit("b");
  {
    using work = await shares.begin("m");
    work.cost(500); // 4 s
  }
  await shares.admit("m");
  assert.ok(at() > 1_000 && at() <= 1_250, `at ${at()} ms`);
});

Deno.test("two of a user's pieces of work go on at once while others are there, the next when one ends", async () => {
  const { shares } = world({ perUser: 2 });
  await shares.admit("b");
  const first = await shares.begin("m");
  const second = await shares.begin("m");
  let begun = false;
  const third = shares.begin("m").then((work) => {
    begun = true;
    return work;
  });
  using _other = await shares.begin("b");
  assert.equal(begun, false);
  first[Symbol.dispose]();
  first[Symbol.dispose](); // twice is once
  using _third = await third;
  assert.equal(begun, true);
  let fourth = false;
  void shares.begin("m").then(() => fourth = true);
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(fourth, false);
  second[Symbol.dispose]();
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(fourth, true);
});

Deno.test("what came through the door before it was known what others cost waits before it begins", async () => {
  const { shares, at } = world({ perUser: 1, freeMs: 100, share: 0.1, requestMs: 2 });
  await shares.admit("b");
  await Promise.all([shares.admit("m"), shares.admit("m")]);
  const first = await shares.begin("m");
  const second = shares.begin("m");
  first.cost(116);
  first[Symbol.dispose]();
  using _second = await second;
  assert.equal(at(), 200, "2 + 2 + 116 - 100 ms, at a tenth of the time");
});

Deno.test("a caller who leaves the line is told so, and costs nobody else their turn", async () => {
  const { shares } = world({ presentMs: 60_000 });
  await shares.admit("b");
  {
    using work = await shares.begin("m");
    work.cost(200);
  }
  const leaving = new AbortController();
  const left = thrownBy(shares.admit("m", leaving.signal));
  leaving.abort();
  assert.equal((await left).code, "aborted");
  await shares.admit("m");
});
