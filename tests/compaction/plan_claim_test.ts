import { strict as assert } from "node:assert";
import type { Claim, CompactionPorts } from "../../shared/compaction/run/ports.ts";
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

Deno.test("outputs are planned to be no larger than the store takes", async () => {
  const { catalog, store } = await world(Array.from({ length: 12 }, (_, n) => `${n}\n`));
  const claim = await catalog.claimCompaction({ worker: "w", leaseSeconds: 300 });
  assert.ok(claim.claimed);
  const MiB = 1024 * 1024;
  const files = (claim.files as { byte_length: number; uncompressed_bytes: number }[])
    .map((file) => ({ ...file, byte_length: MiB, uncompressed_bytes: MiB }));
  let asked = 0;
  const outputs = async (most: number, some: object[] = files) => {
    const ports = {
      catalog,
      store,
      clock: systemClock,
      merge: lineMerge,
      objectLimit: () => {
        asked++;
        return Promise.resolve(most);
      },
    } as unknown as CompactionPorts;
    const signal = new AbortController().signal;
    const budget = { cpuMs: 1e6, memoryMb: 1e6 };
    const { plan } = await planClaim(ports, { ...claim, files: some } as Claim, budget, signal);
    return plan.outputs.map(({ bytes }) => bytes);
  };
  assert.deepEqual(await outputs(Infinity), [12 * MiB]);
  const cut = await outputs(5 * MiB);
  assert.ok(cut.length > 1 && Math.max(...cut) <= 5 * MiB, String(cut));
  asked = 0;
  await outputs(5 * MiB, claim.files as object[]);
  assert.equal(asked, 0, "of what is far below nobody asks");
});

Deno.test("files on trial are all taken on, but never across one that is listed between them", async () => {
  const { catalog, store } = await world(Array.from({ length: 5 }, (_, n) => `${n}\n`));
  const claim = await catalog.claimCompaction({ worker: "w", leaseSeconds: 300 });
  assert.ok(claim.claimed);
  const files = (claim.files as { id: number; state: string }[])
    .map((file, n) => ({ ...file, state: n === 1 ? "quarantined" : file.state }));
  const ports = { catalog, store, clock: systemClock, merge: lineMerge } as unknown;
  const { plan } = await planClaim(
    ports as CompactionPorts,
    {
      ...claim,
      trial: true,
      forced: true,
      files,
      settings: { ...claim.settings, dedupe_keys: ["key"] },
    } as unknown as Claim,
    { cpuMs: 1e6, memoryMb: 1e6 },
    new AbortController().signal,
  );
  const taken = plan.outputs.map(({ inputs }) => inputs.map(({ id }) => id));
  assert.deepEqual(taken.sort((a, b) => a[0] - b[0]), [
    [files[0].id],
    [files[2].id, files[3].id, files[4].id],
  ]);
  assert.match(plan.decision, /^After a worker died, on trial: 4 files\./);
});
