import { strict as assert } from "node:assert";
import type { Clock } from "../../shared/compaction/clock.ts";
import type { CompactionPorts, Merge } from "../../shared/compaction/ports.ts";
import { takeTurn, type TurnOptions } from "../../shared/compaction/turn.ts";
import { SedimentError } from "../../shared/errors.ts";
import { createMemoryStore, type MemoryStoreOptions } from "../../shared/storage/memory_store.ts";
import { createFakeCatalog, type FakeCatalogOptions } from "../support/fake_catalog.ts";

const user = "00000000-0000-4000-8000-000000000001";
const dataset = "00000000-0000-4000-8000-0000000000d1";

/** A clock that waits no time and remembers how long it would have waited. */
function quickClock() {
  let now = Date.parse("2026-11-22T12:00:00Z");
  const waits: number[] = [];
  const clock: Clock = {
    now: () => new Date(now),
    sleep: (ms) => {
      waits.push(ms);
      now += ms;
      return Promise.resolve();
    },
  };
  return { clock, waits, advance: (ms: number) => void (now += ms) };
}

/** A merge of files that are text, one row a line. A file that begins with `!` is bad. */
const lineMerge: Merge = async (plan, readers, sink) => {
  const lines: string[] = [];
  const merged: string[] = [];
  const rejected: { id: string; error: SedimentError }[] = [];
  for (const { id } of plan.inputs) {
    const reader = readers.get(id)!;
    const text = new TextDecoder().decode(await reader.read(0, reader.size));
    if (text.startsWith("!")) {
      rejected.push({ id, error: new SedimentError("invalid_parquet", "it begins with !") });
      continue;
    }
    lines.push(...text.trimEnd().split("\n"));
    merged.push(id);
  }
  const bytes = merged.length === 0 ? "" : lines.join("\n") + "\n";
  await sink.write(new TextEncoder().encode(bytes));
  return {
    rowCount: merged.length === 0 ? 0 : lines.length,
    rowGroupCount: 1,
    byteLength: bytes.length,
    uncompressedBytes: bytes.length,
    schemaFingerprint: "lines",
    schema: { name: "" },
    stats: {},
    merged,
    rejected,
  };
};

interface World {
  catalog?: FakeCatalogOptions;
  store?: MemoryStoreOptions;
  merge?: Merge;
}

/** A catalog and a store with fragments `texts`, one table unless `tables` says otherwise. */
async function world(texts: string[], { catalog, store, merge }: World = {}, tables = ["lines"]) {
  const time = quickClock();
  // Hooks are for the turn, not for filling the world.
  let armed = false;
  const fakeCatalog = createFakeCatalog({
    now: time.clock.now,
    settings: { min_inputs: 2, ...catalog?.settings },
    before: (call) => armed ? catalog?.before?.(call) : undefined,
    after: (call) => armed ? catalog?.after?.(call) : undefined,
  });
  const memoryStore = createMemoryStore({
    before: (call) => armed ? store?.before?.(call) : undefined,
    after: (call) => armed ? store?.after?.(call) : undefined,
  });
  for (const [n, text] of texts.entries()) {
    const bytes = new TextEncoder().encode(text);
    const table = tables[n % tables.length];
    const stage = await fakeCatalog.stageUpload({
      user,
      dataset,
      table,
      periodTag: "0",
      size: bytes.length,
      contentHash: `${n}`,
      offsetsDigest: "",
    });
    await memoryStore.put(stage.object_key, bytes);
    await fakeCatalog.commitUpload({
      stage: stage.stage_id,
      user,
      size: bytes.length,
      etag: "e",
      contentHash: `${n}`,
      files: [{
        ordinal: 0,
        table,
        period_tag: "0",
        start_byte: 0,
        byte_length: bytes.length,
        row_count: text.trimEnd().split("\n").length,
        row_group_count: 1,
        uncompressed_bytes: bytes.length,
        schema_fingerprint: "lines",
        stats: {},
      }],
    });
  }
  armed = true;
  const ports = {
    catalog: fakeCatalog,
    store: memoryStore,
    clock: time.clock,
    merge: merge ?? lineMerge,
  } as unknown as CompactionPorts;
  const turn = (some: Partial<TurnOptions> = {}) =>
    takeTurn(ports, {
      worker: "w1",
      leaseSeconds: 300,
      turnSeconds: 60,
      turnBytes: 1e9,
      ...some,
    });
  /** Every row of every visible file, sorted. */
  const rows = () =>
    fakeCatalog.state.files.filter((file) => file.removed_version === null).flatMap((file) => {
      const bytes = memoryStore.objects.get(file.object_key)!.bytes;
      const slice = bytes.subarray(file.start_byte, file.start_byte + file.byte_length);
      return new TextDecoder().decode(slice).trimEnd().split("\n");
    }).sort();
  const visible = () => fakeCatalog.state.files.filter((file) => file.removed_version === null);
  return { catalog: fakeCatalog, store: memoryStore, turn, rows, visible, time };
}

const fragments = ["a\nb\n", "c\n", "d\ne\nf\n"];
const allRows = ["a", "b", "c", "d", "e", "f"];

/** Throws a number of times and then lets calls pass. */
function failing(times: number, error: () => SedimentError, match: (name: string) => boolean) {
  return (call: { method: string }) => {
    if (match(call.method) && times-- > 0) throw error();
  };
}

Deno.test("a turn merges a partition's fragments into one file with the same rows", async () => {
  const { turn, rows, visible, store } = await world(fragments);
  const report = await turn();
  assert.equal(report.stopped, "empty");
  assert.equal(report.runs.length, 1);
  assert.equal(report.runs[0].outcome, "merged");
  assert.equal(report.runs[0].files_merged, 3);
  assert.equal(visible().length, 1);
  assert.deepEqual(rows(), allRows);
  const [output] = visible();
  assert.equal(output.level, 1);
  assert.equal(output.etag, store.objects.get(output.object_key)!.etag);
});

Deno.test("a turn takes one partition after the other until the queue is empty", async () => {
  const { turn, visible } = await world(
    ["a\n", "b\n", "c\n", "d\n", "e\n", "f\n"],
    {},
    ["t1", "t2", "t3"],
  );
  const report = await turn();
  assert.equal(report.runs.length, 3);
  assert.deepEqual(visible().map(({ table }) => table).sort(), ["t1", "t2", "t3"]);
});

Deno.test("a decision to do nothing is committed, in words", async () => {
  const { turn, visible, catalog } = await world(["a\n"]);
  const report = await turn();
  assert.equal(report.runs[0].outcome, "nothing");
  assert.match(catalog.state.runs[0].decision!, /Nothing to do with 1 file/);
  assert.equal(catalog.state.runs[0].status, "success");
  assert.equal(visible().length, 1);
});

Deno.test("a bad fragment is quarantined with its reason and the rest is merged", async () => {
  const { turn, rows, visible } = await world(["a\n", "!bad\n", "b\n"]);
  const report = await turn();
  assert.equal(report.runs[0].quarantined, 1);
  const bad = visible().find(({ state }) => state === "quarantined")!;
  assert.deepEqual([bad.quarantine_code, bad.quarantine_reason], [
    "invalid_parquet",
    "it begins with !",
  ]);
  assert.deepEqual(rows(), ["!bad", "a", "b"]);
  assert.equal(visible().length, 2);
});

Deno.test("when all but one fragment are bad nothing is written and the run ends", async () => {
  const { turn, visible, catalog, store } = await world(["a\n", "!1\n", "!2\n"]);
  const objects = store.objects.size;
  const report = await turn();
  assert.equal(report.runs[0].quarantined, 2);
  assert.equal(report.runs[0].outputs, 0);
  assert.equal(visible().length, 3);
  assert.equal(catalog.state.runs[0].status, "success");
  assert.equal(store.objects.size, objects);
});

Deno.test("a fragment whose object is gone is quarantined as object_missing", async () => {
  const { turn, visible, store } = await world(fragments);
  await store.deleteMany([visible()[1].object_key]);
  const report = await turn();
  assert.equal(report.runs[0].outcome, "merged");
  assert.equal(
    visible().find(({ state }) => state === "quarantined")?.quarantine_code,
    "object_missing",
  );
});

Deno.test("outages of catalog and store are waited for inside the turn", async () => {
  const outage = () => new SedimentError("store_failed", "503");
  const { turn, rows, visible, time } = await world(fragments, {
    store: { before: failing(1, outage, (name) => name === "put") },
    catalog: { before: failing(2, outage, (name) => name === "commitCompaction") },
  });
  const report = await turn();
  assert.equal(report.runs[0].outcome, "merged");
  assert.equal(visible().length, 1);
  assert.deepEqual(rows(), allRows);
  assert.deepEqual(time.waits, [2000, 1000, 2000], "linear 2 s for merge, linear 1 s for metadata");
});

Deno.test("a put whose answer was lost is not an error, and the output is not written twice", async () => {
  const lost = () => new SedimentError("store_failed", "connection reset");
  const { turn, rows, visible } = await world(fragments, {
    store: { after: failing(1, lost, (name) => name === "put") },
  });
  assert.equal((await turn()).runs[0].outcome, "merged");
  assert.equal(visible().length, 1);
  assert.deepEqual(rows(), allRows);
});

Deno.test("a commit whose answer was lost counts once", async () => {
  const lost = () => new SedimentError("catalog_failed", "connection reset");
  const { turn, rows, visible, catalog } = await world(fragments, {
    catalog: { after: failing(1, lost, (name) => name === "commitCompaction") },
  });
  assert.equal((await turn()).runs[0].outcome, "merged");
  assert.equal(visible().length, 1);
  assert.equal(catalog.state.runs[0].commits.size, 1);
  assert.deepEqual(rows(), allRows);
});

Deno.test("when the answer to a commit stays unknown nothing is deleted", async () => {
  const lost = () => new SedimentError("catalog_failed", "connection reset");
  const { turn, rows, visible, store } = await world(fragments, {
    catalog: { after: failing(99, lost, (name) => name === "commitCompaction") },
  });
  const report = await turn();
  // The commit did happen, so the run is over and can't be failed any more.
  assert.equal(report.runs[0].error?.code, "catalog_failed");
  assert.equal(visible().length, 1);
  assert.deepEqual(rows(), allRows);
  assert.equal(store.objects.size, 4, "three fragments and the output");
});

Deno.test("an outage that lasts gives the run back as retryable", async () => {
  const outage = () => new SedimentError("store_failed", "503");
  const { turn, catalog, rows } = await world(fragments, {
    store: { before: failing(2, outage, (name) => name === "put") },
  });
  const report = await turn();
  assert.equal(report.runs[0].outcome, "failed");
  assert.deepEqual(report.runs[0].error, {
    code: "store_failed",
    step: "merge",
    message: "503",
    permanent: false,
  });
  // The same turn claims it again, under a new token, and ends it.
  assert.equal(report.runs[1].outcome, "merged");
  assert.equal(catalog.state.runs[0].token, 2);
  assert.deepEqual(rows(), allRows);
});

Deno.test("a merge that loses rows is permanent and replaces nothing", async () => {
  const lossy: Merge = async (plan, readers, sink, options) => {
    const result = await lineMerge(plan, readers, sink, options);
    return { ...result, rowCount: result.rowCount - 1 };
  };
  const { turn, visible, catalog } = await world(fragments, { merge: lossy });
  const report = await turn();
  assert.equal(report.runs[0].error?.code, "merge_rows_differ");
  assert.equal(catalog.state.runs[0].status, "error");
  assert.equal(report.runs.length, 1, "it was claimed again");
  assert.equal(visible().length, 3);
});

Deno.test("a worker that lost its lease stops without a word and without an output", async () => {
  const { turn, visible, catalog } = await world(fragments, {
    catalog: {
      before: failing(
        1,
        () => new SedimentError("lease_lost", "token 2"),
        (name) => name === "stageOutput",
      ),
    },
  });
  const report = await turn();
  assert.equal(report.runs[0].outcome, "lost");
  assert.equal(catalog.state.calls.some(({ method }) => method === "failCompaction"), false);
  assert.equal(visible().length, 3);
});

Deno.test("no further output is begun after the soft deadline, and the rest is queued again", async () => {
  const texts = Array.from({ length: 8 }, (_, n) => `${n}${"x".repeat(30_000)}\n`);
  const { turn, rows, visible, time, catalog } = await world(texts, {
    catalog: { settings: { target_file_bytes: 80_000 } },
    store: { after: (call) => call.method === "put" ? time.advance(61_000) : undefined },
  });
  const before = rows();
  const report = await turn();
  assert.equal(report.stopped, "deadline");
  assert.equal(report.runs.length, 1);
  assert.equal(report.runs[0].outputs, 1);
  assert.equal(report.runs[0].requeued, true);
  assert.equal(catalog.state.runs[0].status, "queued");
  assert.deepEqual(rows(), before);
  const rest = await turn();
  assert.equal(rest.runs[0].outcome, "merged");
  assert.deepEqual(rows(), before);
  assert.ok(visible().length < 8);
});

Deno.test("the byte budget ends a turn between outputs", async () => {
  const texts = Array.from({ length: 8 }, (_, n) => `${n}${"x".repeat(30_000)}\n`);
  const { turn } = await world(texts, { catalog: { settings: { target_file_bytes: 80_000 } } });
  const report = await turn({ turnBytes: 50_000 });
  assert.equal(report.stopped, "budget");
  assert.equal(report.runs[0].outputs, 1);
});

Deno.test("an abort in the middle of a merge gives the claim back and leaves the rows alone", async () => {
  const controller = new AbortController();
  const { turn, rows, visible, catalog } = await world(fragments, {
    store: {
      before: (call) => call.method === "put" ? controller.abort(new Error("SIGINT")) : undefined,
    },
  });
  const report = await turn({ signal: controller.signal });
  assert.equal(report.stopped, "stopped");
  assert.equal(report.runs[0].error?.code, "aborted");
  assert.equal(catalog.state.runs[0].status, "queued");
  assert.equal(visible().length, 3);
  assert.deepEqual(rows(), allRows);
});

Deno.test("a stop of claiming lets the run in hand end", async () => {
  const stop = new AbortController();
  const { turn } = await world(["a\n", "b\n", "c\n", "d\n"], {
    store: { before: (call) => call.method === "put" ? stop.abort() : undefined },
  }, ["t1", "t2"]);
  const report = await turn({ stopClaiming: stop.signal });
  assert.equal(report.runs.length, 1);
  assert.equal(report.runs[0].outcome, "merged");
});

Deno.test("a worker whose runs fail one after the other stops claiming", async () => {
  const { turn } = await world(Array.from({ length: 12 }, (_, n) => `${n}\n`), {
    merge: () => Promise.reject(new SedimentError("misconfigured", "no wasm here")),
  }, ["t1", "t2", "t3", "t4", "t5", "t6"]);
  const report = await turn();
  assert.equal(report.stopped, "stopped");
  assert.equal(report.runs.length, 3);
});

Deno.test("the status tells how much of the plan is done, output by output", async () => {
  const texts = Array.from({ length: 6 }, (_, n) => `${n}${"x".repeat(30_000)}\n`);
  const { turn, catalog } = await world(texts, {
    catalog: { settings: { target_file_bytes: 80_000 } },
  });
  await turn();
  const told = catalog.state.calls.filter(({ method }) => method === "recordStep")
    .map(({ input }) => (input as { progress: Record<string, number> }).progress);
  assert.deepEqual(told.map((progress) => progress.outputs_done), [0, 1, 2].slice(0, told.length));
  assert.ok(told.length > 1);
  for (const progress of told) {
    assert.equal(progress.files_planned, 6);
    assert.equal(progress.files_done, progress.outputs_done * 2);
    assert.equal(progress.bytes_done * 3, progress.bytes_planned * progress.outputs_done);
  }
});
