import { strict as assert } from "node:assert";
import type { MergeCost } from "../../shared/compaction/plan/merge_cost.ts";
import { Pace } from "../../shared/compaction/run/pace.ts";

const cost: MergeCost = { cpuMs: 150, memoryMb: 80, onceMs: { fixedMs: 30, zstdMs: 100 } };

/** A pace by a clock that stands until it is moved. */
function paceAt() {
  const time = { now: 0 };
  return { pace: new Pace({ monotonic: () => time.now }), time };
}

Deno.test("what a process pays once is counted with its first output alone", () => {
  const { pace } = paceAt();
  assert.equal(pace.spend(cost, 0), 150);
  assert.equal(pace.spend(cost, 0), 20);
  const decodes = { ...cost, cpuMs: 400, onceMs: { ...cost.onceMs, decodeMs: 250 } };
  assert.equal(pace.expected(decodes), 270, "a module that was not opened yet is still to be paid");
});

Deno.test("an output counts as no more than the time that it took, nor than was expected", () => {
  const { pace } = paceAt();
  assert.equal(pace.spend(cost, 60), 60);
  assert.equal(pace.spend(cost, 900), 20, "it waited for the network");
});

Deno.test("the next output is expected to take what the median of the last twenty did", () => {
  const { pace } = paceAt();
  const plain = { cpuMs: 100, memoryMb: 80 };
  for (let n = 0; n < 20; n++) pace.spend(plain, n % 2 === 0 ? 40 : 60);
  assert.equal(Math.round(pace.expected(plain)), 60);
  for (let n = 0; n < 11; n++) pace.spend(plain, 30);
  assert.equal(Math.round(pace.expected(plain)), 30, "those of before are forgotten");
});

Deno.test("what is learned makes nothing free and nothing dearer", () => {
  const { pace } = paceAt();
  const plain = { cpuMs: 100, memoryMb: 80 };
  for (let n = 0; n < 20; n++) pace.spend(plain, 0.01);
  assert.equal(Math.round(pace.expected(plain)), 10);
  for (let n = 0; n < 20; n++) pace.spend(plain, 5000);
  assert.equal(Math.round(pace.expected(plain)), 100);
});

Deno.test("what was learned fades while nothing is merged", () => {
  const { pace, time } = paceAt();
  const plain = { cpuMs: 100, memoryMb: 80 };
  pace.spend(plain, 20);
  assert.equal(Math.round(pace.expected(plain)), 20);
  time.now += 10 * 60_000;
  assert.equal(Math.round(pace.expected(plain)), 60);
  time.now += 1e9;
  assert.equal(Math.round(pace.expected(plain)), 100);
});
