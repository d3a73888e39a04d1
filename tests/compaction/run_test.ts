import { strict as assert } from "node:assert";
import { callCatalog } from "../../shared/compaction/run/call_catalog.ts";
import { Lease } from "../../shared/compaction/run/lease.ts";
import { SedimentError } from "../../shared/errors.ts";
import { allRows, fragments, lineMerge, world } from "./turn_world.ts";

Deno.test("every call of the catalog carries a signal", async () => {
  const { turn, catalog } = await world(["a\n", "!bad\n", "c\n"]);
  await turn();
  const calls = catalog.state.calls.filter(({ method }) => !/Upload/.test(method));
  assert.ok(calls.length > 5);
  assert.deepEqual(calls.filter(({ signal }) => signal === undefined), []);
});

for (const method of ["claimCompaction", "recordStep", "stageOutput", "commitCompaction"]) {
  Deno.test(`a turn that is stopped while ${method} hangs ends`, async () => {
    const stop = new AbortController();
    const { turn, catalog, rows } = await world(fragments, {
      catalog: {
        before: (call) => {
          if (call.method !== method) return;
          stop.abort(new Error("SIGINT"));
          return new Promise((_, reject) => {
            const aborted = () => reject(new SedimentError("aborted", "stopped"));
            if (call.signal?.aborted) aborted();
            call.signal?.addEventListener("abort", aborted);
          });
        },
      },
    });
    const report = await turn({ signal: stop.signal }).catch((error) => error);
    if (method === "claimCompaction") assert.equal(report.code, "aborted");
    else {
      assert.equal(report.runs[0].error?.code, "aborted");
      assert.equal(catalog.state.runs[0].status, "queued", "the claim was given back");
    }
    assert.deepEqual(rows(), allRows);
  });
}

Deno.test("a call of the catalog that is never answered is an outage, and is tried again", async () => {
  const never = ({ signal }: { signal: AbortSignal }) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const turn = new AbortController().signal;
  await assert.rejects(callCatalog(turn, never, 20), { code: "catalog_failed" });
});

Deno.test("a lease is counted from before the claim, and again from before each commit", async () => {
  const turn = new AbortController();
  const ago = (seconds: number) => performance.now() - seconds * 1000;
  {
    using lease = new Lease(turn.signal, 60, ago(55));
    await new Promise((resolve) => setTimeout(resolve, 1100));
    assert.equal(lease.signal.aborted, true, "it ends 10 s before the catalog's");
    lease.extend(60, ago(0));
    assert.equal(lease.signal.aborted, true, "what was given up stays so");
  }
  using lease = new Lease(turn.signal, 60, ago(55));
  lease.extend(60, ago(0));
  await new Promise((resolve) => setTimeout(resolve, 1100));
  assert.equal(lease.signal.aborted, false);
  turn.abort();
  assert.equal(lease.signal.aborted, true);
});

Deno.test("when a quarantine left a file alone the partition is planned again at once", async () => {
  const { turn, catalog, visible } = await world(["a\n", "!1\n", "!2\n"]);
  const report = await turn();
  assert.deepEqual(report.runs.map(({ outcome }) => outcome), ["nothing", "nothing"]);
  assert.equal(report.runs[0].requeued, true);
  const [run] = catalog.state.runs;
  assert.equal(run.status, "success");
  assert.match(run.decision!, /^Nothing to do with 3 files.*2 files in quarantine/);
  assert.equal(visible().length, 3);
});

Deno.test("when none of several inputs is in the store nothing is quarantined: the store is the fault", async () => {
  const { turn, store, visible } = await world(fragments);
  await store.deleteMany(visible().map(({ object_key }) => object_key));
  const report = await turn();
  assert.equal(report.runs[0].error?.code, "store_failed");
  assert.equal(report.runs[0].error?.permanent, false);
  assert.deepEqual(visible().map(({ state }) => state), ["active", "active", "active"]);
});

Deno.test("a merge that outlives its lease is stopped, and the claim given back", async () => {
  let merges = 0;
  const { turn, rows, visible } = await world(fragments, {
    merge: (plan, readers, sink, options) =>
      merges++ > 0 ? lineMerge(plan, readers, sink, options) : new Promise((_, reject) => {
        options.signal.addEventListener("abort", () => reject(options.signal.reason));
      }),
  });
  // 15 s, of which the last ten are given up
  const report = await turn({ leaseSeconds: 15 });
  assert.equal(report.runs[0].error?.code, "aborted");
  assert.equal(report.runs[1].outcome, "merged", "the next claim of it has a lease of its own");
  assert.equal(visible().length, 1);
  assert.deepEqual(rows(), allRows);
});
