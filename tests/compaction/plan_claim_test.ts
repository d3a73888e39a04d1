import { strict as assert } from "node:assert";
import type { CompactionPorts } from "../../shared/compaction/run/ports.ts";
import { planClaim } from "../../shared/compaction/run/plan_claim.ts";
import { lineMerge, world } from "./turn_world.ts";
import { systemClock } from "../../shared/clock.ts";

Deno.test("a run whose last worker ended without a word is planned with half of the CPU", async () => {
  const texts = Array.from({ length: 400 }, (_, n) => `${n}\n`);
  const { catalog, store } = await world(texts);
  const ports: CompactionPorts = {
    catalog: catalog as unknown as CompactionPorts["catalog"],
    store,
    clock: systemClock,
    merge: lineMerge,
  };
  const claim = await catalog.claimCompaction({ worker: "w", leaseSeconds: 300 });
  assert.ok(claim.claimed);
  const outputs = async (attempt: number, cpuMs: number) => {
    const signal = new AbortController().signal;
    const budget = { cpuMs, memoryMb: 200 };
    return (await planClaim(ports, { ...claim, attempt }, budget, signal)).plan.outputs;
  };
  const [{ cost: { cpuMs } }] = await outputs(1, 10_000);
  const [first, second] = [await outputs(1, cpuMs), await outputs(2, 1.9 * cpuMs)];
  assert.equal(first.length, 1);
  assert.ok(second.length > 1);
  assert.ok(second.every(({ cost }) => cost.cpuMs <= 0.95 * cpuMs));
});
