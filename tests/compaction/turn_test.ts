import { strict as assert } from "node:assert";
import { costCoefficients } from "../../shared/compaction/plan/cost_coefficients.ts";
import type { Merge } from "../../shared/compaction/run/ports.ts";
import { SedimentError } from "../../shared/errors.ts";
import { allRows, failing, fragments, lineMerge, world } from "./turn_world.ts";

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
    class: "environment",
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

Deno.test("an output that the turn is not expected to have the CPU for is left to the next turn", async () => {
  const texts = Array.from({ length: 8 }, (_, n) => `${n}${"x".repeat(30_000)}\n`);
  const settings = { target_file_bytes: 80_000 };
  const { turn: whole } = await world(texts, { catalog: { settings } });
  const { decision, outputs: wanted } = (await whole()).runs[0];
  const [, ms] = /about (\d+) ms of CPU/.exec(decision!)!;
  const { turn, rows } = await world(texts, { catalog: { settings } });
  // each was expected with what a process pays once
  const once = costCoefficients.fixedMs;
  const budget = { cpuMs: once + 2.5 * (Number(ms) / wanted - once), memoryMb: 200 };
  const first = await turn({ budget });
  assert.equal(first.stopped, "budget");
  assert.equal(first.runs[0].outputs, 2);
  const reports = [first];
  while (reports.at(-1)!.stopped !== "empty") reports.push(await turn({ budget }));
  const outputs = reports.flatMap(({ runs }) => runs).reduce((sum, run) => sum + run.outputs, 0);
  assert.ok(wanted > 2);
  assert.equal(outputs, wanted);
  assert.equal(rows().length, texts.length);
});

Deno.test("a turn that paid what a process pays once goes on, partition after partition", async () => {
  const tables = Array.from({ length: 6 }, (_, n) => `t${n}`);
  const texts = Array.from({ length: 12 }, (_, n) => `${n}\n`);
  const { turn: one } = await world(texts, {}, tables);
  const [, ms] = /about (\d+) ms of CPU/.exec((await one()).runs[0].decision!)!;
  const { turn } = await world(texts, {}, tables);
  // no claim is begun when half of it is spent: three outputs of new processes spend more
  const report = await turn({ budget: { cpuMs: 4.8 * Number(ms), memoryMb: 200 } });
  assert.equal(report.runs.filter(({ outcome }) => outcome === "merged").length, 4);
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
    merge: () => Promise.reject(new SedimentError("internal", "no such thing")),
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
  const told = catalog.state.calls
    .map(({ input, method }) => method === "commitCompaction" ? input.result : input)
    .flatMap(({ progress }) => progress === undefined ? [] : [progress as Record<string, number>]);
  const done = told.map((progress) => progress.outputs_done);
  assert.deepEqual(done, done.toSorted());
  assert.deepEqual(
    [...new Set(done)],
    [0, 1, 2, 3],
    "the last commit tells of the last output too",
  );
  for (const progress of told) {
    assert.equal(progress.files_planned, 6);
    assert.equal(progress.files_done, progress.outputs_done * 2);
    assert.equal(progress.bytes_done * 3, progress.bytes_planned * progress.outputs_done);
  }
});

Deno.test("an output that we would not take is planned smaller once, then its partition rests with the reason, its files sound", async () => {
  const sizes: number[] = [];
  const merge: Merge = async (plan, readers, sink, options) => {
    sizes.push(plan.inputs.length);
    await lineMerge(plan, readers, sink, options);
    throw new SedimentError("output_refused", "there are 72000 column chunks, over 65536");
  };
  // all of them are what a turn may cost
  const { turn, visible, catalog, store, rows } = await world(["a\n", "b\n", "c\n", "d\n"], {
    merge,
  });
  for (const file of catalog.state.files) {
    const sums = [
      { healthy: false, chunks: 1, values: 3e8, bytes: 9, plain_bytes: 9, largest_chunk: 1 },
    ];
    Object.assign(file, {
      value_count: 9,
      merge_facts: { sums, largest_group: 9, page: 1, pages: 1 },
    });
  }
  const objects = store.objects.size;
  for (let turns = 0; turns < 3; turns++) await turn();
  assert.deepEqual(sizes, [4, 2]);
  const [{ status, error }] = catalog.state.runs;
  assert.deepEqual([status, error!.code], ["error", "output_refused"]);
  assert.ok(visible().every(({ state, level }) => state === "active" && level === 0));
  assert.deepEqual(rows(), ["a", "b", "c", "d"]);
  assert.equal(store.objects.size, objects, "what was refused is in no store");
});
