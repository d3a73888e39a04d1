/** Runs on a store that takes objects piece by piece: the output is there whole when it is committed, or not at all. */
import { strict as assert } from "node:assert";
import type { Merge } from "../../shared/compaction/run/ports.ts";
import { SedimentError } from "../../shared/errors.ts";
import type { MemoryStoreOptions, StoreCall } from "../support/memory_store.ts";
import { allRows, failing, fragments, lineMerge, world } from "./turn_world.ts";

/** A merge of lines that writes a few bytes at a time. */
const piecemeal: Merge = (plan, readers, sink, options) =>
  lineMerge(plan, readers, {
    async write(chunk) {
      for (let at = 0; at < chunk.length; at += 4) await sink.write(chunk.subarray(at, at + 4));
    },
  }, options);

const streaming = (store: MemoryStoreOptions = {}, merge: Merge = piecemeal) =>
  world(fragments, { store: { uploads: true, ...store }, merge });

const outage = () => new SedimentError("store_failed", "503");
const outputs = (keys: Iterable<string>) =>
  [...keys].filter((key) => key.startsWith("battle_compacted/"));

Deno.test("an output is streamed under a key that the catalog staged before", async () => {
  const calls: StoreCall[] = [];
  const { turn, rows, visible, store, catalog } = await streaming({
    before: (call) => {
      if (call.method !== "startUpload" && !call.method.startsWith("upload.")) return;
      calls.push(call);
      assert.ok(catalog.state.calls.some(({ method }) => method === "stageOutput"));
      assert.deepEqual(outputs(store.objects.keys()), [], "it was seen before it was whole");
    },
  });
  assert.equal((await turn()).runs[0].outcome, "merged");
  assert.deepEqual(rows(), allRows);
  const [output] = visible();
  assert.equal(output.etag, store.objects.get(output.object_key)!.etag);
  assert.deepEqual(new Set(calls.map(({ key }) => key)), new Set([output.object_key]));
  assert.deepEqual(calls.map(({ method }) => method), [
    "startUpload",
    "upload.write",
    "upload.write",
    "upload.write",
    "upload.finish",
  ]);
});

for (const method of ["startUpload", "upload.write", "upload.finish"]) {
  Deno.test(`an outage at ${method} is waited for, and the output is there once`, async () => {
    const { turn, rows, store, time } = await streaming({
      before: failing(1, outage, (name) => name === method),
    });
    assert.equal((await turn()).runs[0].outcome, "merged");
    assert.deepEqual(rows(), allRows);
    assert.equal(outputs(store.objects.keys()).length, 1);
    assert.deepEqual(time.waits, [2000]);
  });

  Deno.test(`an outage that lasts at ${method} gives the run back, and leaves nothing`, async () => {
    const { turn, rows, catalog, store } = await streaming({
      before: failing(2, outage, (name) => name === method),
    });
    const report = await turn();
    assert.deepEqual(report.runs.map(({ outcome }) => outcome), ["failed", "merged"]);
    assert.equal(catalog.state.runs[0].token, 2);
    const left = outputs(store.objects.keys());
    assert.equal(left.length, 1);
    assert.match(left[0], /-2-0\.parquet$/, "the second token's, under a key of its own");
    assert.deepEqual(rows(), allRows);
  });
}

Deno.test("a finish whose answer was lost is asked for again, and nothing is merged again", async () => {
  let merges = 0;
  const { turn, rows, visible } = await streaming(
    { after: failing(1, outage, (name) => name === "upload.finish") },
    (...args) => (merges++, piecemeal(...args)),
  );
  assert.equal((await turn()).runs[0].outcome, "merged");
  assert.equal(merges, 1);
  assert.equal(visible().length, 1);
  assert.deepEqual(rows(), allRows);
});

Deno.test("a store that takes no output of that size is no reason to quarantine an input", async () => {
  const { turn, visible } = await streaming({
    before: ({ method }) => {
      if (method === "upload.write") throw new SedimentError("body_too_large", "EntityTooLarge");
    },
  }, async (plan, readers, sink, options) => {
    // as the merge core does with what is thrown while an input is added
    try {
      return await piecemeal(plan, readers, sink, options);
    } catch (thrown) {
      const error = thrown as SedimentError;
      if (error.retryable || error.status >= 500) throw error;
      const result = await lineMerge(plan, readers, { write: () => Promise.resolve() }, options);
      return { ...result, merged: [], rejected: plan.inputs.map(({ id }) => ({ id, error })) };
    }
  });
  const report = await turn();
  // The next plan cuts smaller: the catalog decides when nothing is left to be cut.
  const { error } = report.runs[0];
  assert.deepEqual([error?.code, error?.permanent], ["body_too_large", false]);
  assert.ok(visible().every(({ state }) => state === "active"));
});

Deno.test("a worker that is stopped between two writes leaves no object", async () => {
  const stop = new AbortController();
  let writes = 0;
  const { turn, rows, store, catalog } = await streaming({
    before: ({ method }) => {
      if (method === "upload.write" && ++writes === 2) stop.abort(new Error("SIGINT"));
    },
  });
  const report = await turn({ signal: stop.signal });
  assert.equal(report.runs[0].error?.code, "aborted");
  assert.equal(catalog.state.runs[0].status, "queued");
  assert.deepEqual(outputs(store.objects.keys()), []);
  assert.deepEqual(rows(), allRows);
});

Deno.test("an output that comes to nothing is given up, and the next one goes to the same key", async () => {
  const given: string[] = [];
  const { turn, store, visible } = await world(["a\n", "!1\n", "!2\n"], {
    store: {
      uploads: true,
      after: ({ method, key }) => void (method === "upload.abort" && given.push(key)),
    },
  });
  const report = await turn();
  assert.equal(report.runs[0].quarantined, 2);
  assert.equal(given.length, 1);
  assert.deepEqual(outputs(store.objects.keys()), []);
  assert.equal(visible().length, 3);
});

Deno.test("a key that another object took is no success, whatever its size", async () => {
  const { turn, store, rows } = await streaming({
    before: async ({ method, key }) => {
      if (method === "upload.finish" && !store.objects.has(key)) {
        await store.put(key, new Uint8Array(12));
      }
    },
  });
  const report = await turn();
  assert.equal(report.runs[0].error?.code, "store_failed");
  assert.deepEqual(rows(), allRows);
});
