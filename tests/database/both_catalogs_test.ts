import { strict as assert } from "node:assert";
import { join } from "node:path";
import { createClient } from "@supabase/supabase-js";
import { type Catalog, createCatalog } from "../../shared/catalog/catalog.ts";
import { connectCatalog } from "../../shared/catalog/connect_catalog.ts";
import type { SedimentError } from "../../shared/errors.ts";
import { startStack } from "../../supabase/local/stack.ts";
import { withClient } from "./cluster.ts";
import { upload } from "./concurrency/worker.ts";

const user = "00000000-0000-4000-8000-00000000a11c";

Deno.test("a call over a connection answers and fails as it does over PostgREST", async (t) => {
  await using stack = await startStack({ cron: false, functions: false });
  const connected = connectCatalog(`${stack.dbUrl}?role=service_role&statement_timeout=8000`);
  await using closing = new AsyncDisposableStack();
  closing.defer(() => connected.close());
  const rest = createCatalog(createClient(stack.url, stack.secretKey));
  const [mine, full] = [crypto.randomUUID(), crypto.randomUUID()];
  await upload(connected.catalog, { user, dataset: mine, body: "1", tables: ["a", "b"] });
  await withClient(
    stack.adminDbUrl,
    (sql) => sql`insert into user_limits (user_id, uploads_per_minute) values (${full}, 1)`,
  );

  const stage = {
    user,
    dataset: mine,
    table: "a",
    periodTag: "0",
    size: 1,
    contentHash: "ab".repeat(32),
    offsetsDigest: "",
  };
  // takes the one that the limit allows
  await connected.catalog.stageUpload({ ...stage, user: full, dataset: crypto.randomUUID() });
  const calls: Record<string, (catalog: Catalog) => Promise<unknown>> = {
    "a list": (c) => c.listFiles({ user, dataset: mine }),
    "null as an argument": (c) => c.listFiles({ user, dataset: mine, table: null, cursor: null }),
    "an array of numbers": (c) => c.retryQuarantined({ user, dataset: mine, files: [1, 2] }),
    "an array of texts": (c) => c.findObjects({ keys: ["a", 'b"\\,{}', "NULL", ""] }),
    "an empty array": (c) => c.findObjects({ keys: [] }),
    "another's dataset": (c) => c.stageUpload({ ...stage, user: crypto.randomUUID() }),
    "a stage that is not there": (c) =>
      c.commitUpload({
        stage: full,
        user,
        size: 1,
        etag: "",
        contentHash: stage.contentHash,
        files: [],
      }),
    "a limit with its Retry-After": (c) =>
      c.stageUpload({ ...stage, user: full, dataset: crypto.randomUUID() }),
    "no uuid": (c) => c.listFiles({ user: "me", dataset: mine }),
    "a version of the future": (c) => c.listFiles({ user, dataset: mine, version: 99 }),
    "a bad cursor": (c) => c.listFiles({ user, dataset: mine, cursor: "?" }),
    "a number that is none": (c) =>
      c.listFiles({ user, dataset: mine, limit: "x" as unknown as number }),
    "an argument that the function does not have": (c) => c.tick({ other: 1 } as object),
    "a text with quotes, a backslash, a NUL": (c) =>
      c.listFiles({ user, dataset: mine, table: "'\"\\\0" }),
    "group of calls": (c) =>
      c.groupUploadCalls({ stages: [{ p_user: "me" }], commits: [{ p_stage: "x" }] }),
  };
  for (const [name, call] of Object.entries(calls)) {
    await t.step(name, async () => {
      const told = async (catalog: Catalog) => {
        try {
          return { answer: await call(catalog) };
        } catch (thrown) {
          const { code, field, expected, retryAfterSeconds } = thrown as SedimentError;
          // A second may pass between the two.
          const waits = retryAfterSeconds !== undefined;
          return { code, field, expected: expected?.replace(/\d+/, "N"), waits };
        }
      };
      assert.deepEqual(await told(connected.catalog), await told(rest));
    });
  }
});

Deno.test("a worker that comes too late is refused, its work taken back, without an ERROR in the database's log", async (t) => {
  await using stack = await startStack({ cron: false, functions: false });
  const connected = connectCatalog(`${stack.dbUrl}?role=service_role`);
  await using closing = new AsyncDisposableStack();
  closing.defer(() => connected.close());
  const rest = createCatalog(createClient(stack.url, stack.secretKey));
  const dataset = crypto.randomUUID();
  for (const body of ["1", "2"]) {
    await upload(connected.catalog, { user, dataset, body, tables: ["a"] });
  }
  await connected.catalog.requestCompaction({ user, dataset });
  const claim = await connected.catalog.claimCompaction({ worker: "w" });
  assert.ok(claim.claimed);
  const { run_id: run, token, files: inputs } = claim;
  const late = { run, token: token - 1 };
  const output = (key: string) => ({
    object_key: key,
    size: 1,
    etag: "e",
    row_count: inputs.reduce((rows, file) => rows + file.row_count, 0),
    row_group_count: 1,
    uncompressed_bytes: 1,
    schema_fingerprint: "f",
    schema: { name: "schema" },
    stats: {},
  });
  const commit = { run, n: 0, token, inputs: inputs.map(({ id }) => id), last: true, result: {} };
  const refused: Record<string, [string, (catalog: Catalog) => Promise<unknown>]> = {
    "a lease that is another's": ["lease_lost", (c) => c.renewLease(late)],
    "an output of it": ["lease_lost", (c) => c.stageOutput({ ...late, n: 0, expectedBytes: 1 })],
    "a step of it": ["lease_lost", (c) => c.recordStep({ ...late, step: "merge" })],
    "a failure of it": [
      "lease_lost",
      (c) =>
        c.failCompaction({
          ...late,
          ...{ code: "internal", message: "late", step: "merge", permanent: false },
        }),
    ],
    "a run that is not there": [
      "run_not_found",
      (c) => c.renewLease({ run: crypto.randomUUID(), token }),
    ],
    "an input that went": [
      "inputs_changed",
      async (c) => {
        const { object_key } = await c.stageOutput({ run, n: 0, token, expectedBytes: 1 });
        const keys = inputs.map(() => "elsewhere");
        return await c.commitCompaction({
          ...commit,
          output: output(object_key!),
          inputKeys: keys,
        });
      },
    ],
    "an output that nobody staged": [
      "object_missing",
      (c) => c.commitCompaction({ ...commit, output: output("battle_compacted/x") }),
    ],
  };
  for (const [name, [code, call]] of Object.entries(refused)) {
    for (const [way, catalog] of Object.entries({ connection: connected.catalog, rest })) {
      await t.step(`${name}, over ${way}`, async () => {
        assert.equal(await call(catalog).then(() => "taken", (error) => error.code), code);
      });
    }
  }

  await t.step("what was written before a refusal is not there", async () => {
    const { files, version } = await rest.listFiles({ user, dataset });
    assert.deepEqual(files.map(({ id }) => id), inputs.map(({ id }) => id));
    assert.equal(version, 2);
    const kept = await withClient(
      stack.adminDbUrl,
      (sql) =>
        sql`select 1 from file_schemas where fingerprint = 'f' and schema ->> 'name' = 'schema'`,
    );
    assert.equal(kept.length, 0);
  });
  await t.step("and what comes in time is taken", async () => {
    const { object_key } = await rest.stageOutput({ run, n: 0, token, expectedBytes: 1 });
    const { run_status } = await connected.catalog.commitCompaction({
      ...commit,
      output: output(object_key!),
    });
    assert.equal(run_status, "success");
  });
  await t.step("the log has no ERROR", async () => {
    const log = await Deno.readTextFile(join(stack.stateDir, "postgres", "postgres.log"));
    assert.deepEqual(log.split("\n").filter((line) => / (ERROR|FATAL): /.test(line)), []);
  });
});
