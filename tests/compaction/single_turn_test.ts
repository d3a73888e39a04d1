import { strict as assert } from "node:assert";
import { SingleTurn } from "../../shared/compaction/run/single_turn.ts";

/** Turns that last until they are told to end. */
function turns(options: { mayGoOn?: boolean; wake?: () => Promise<void> } = {}) {
  const ends: (() => void)[] = [];
  const seen = { running: 0, most: 0, taken: 0, woken: 0 };
  const single = new SingleTurn(async () => {
    seen.most = Math.max(seen.most, ++seen.running);
    await new Promise<void>((resolve) => ends.push(resolve));
    seen.running--;
    return ++seen.taken;
  }, {
    mayGoOn: () => options.mayGoOn ?? true,
    wakeSuccessor: async () => {
      seen.woken++;
      await options.wake?.();
    },
  });
  const tick = () => new Promise((resolve) => setTimeout(resolve));
  return { single, ends, seen, tick };
}

Deno.test("a second ping is answered busy at once, and no second turn runs beside the first", async () => {
  const { single, ends, seen, tick } = turns();
  const first = single.take();
  assert.deepEqual(await single.take(), { busy: true });
  assert.deepEqual(await single.take(), { busy: true });
  ends[0]();
  await tick();
  ends[1]();
  assert.equal(await first, 2, "it went on once for all who came meanwhile");
  assert.deepEqual([seen.most, seen.woken], [1, 0]);
});

Deno.test("an isolate that is spent wakes a successor, when it takes turns again itself", async () => {
  const { single, ends, seen } = turns({
    mayGoOn: false,
    // the ping may come back to this very isolate
    wake: async () => void await Promise.race([single.take(), Promise.resolve()]),
  });
  const first = single.take();
  await single.take();
  ends[0]();
  assert.equal(await first, 1);
  assert.deepEqual([seen.woken, seen.running], [1, 1], "the ping found it free");
  ends[1]();
});

Deno.test("nobody is woken where nobody came", async () => {
  const { single, ends, seen } = turns({ mayGoOn: false });
  const first = single.take();
  ends[0]();
  await first;
  assert.equal(seen.woken, 0);
});

Deno.test("a turn that throws leaves the isolate free, and who came meanwhile is passed on", async () => {
  let woken = 0;
  let fail = true;
  const single = new SingleTurn(async () => {
    await Promise.resolve();
    if (fail) throw new Error("no catalog");
    return 1;
  }, { mayGoOn: () => true, wakeSuccessor: () => Promise.reject(woken++) });
  const first = single.take();
  await single.take();
  await assert.rejects(first, /no catalog/);
  fail = false;
  assert.equal(await single.take(), 1);
});
