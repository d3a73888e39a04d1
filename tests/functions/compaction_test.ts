import { strict as assert } from "node:assert";
import { createCompactionApp } from "../../functions/compaction/app.ts";
import { createCompactorApp } from "../../functions/compactor/app.ts";
import { SedimentError } from "../../shared/errors.ts";
import { neededSchema, requireSchema } from "../../shared/catalog/require_schema.ts";
import { alice, cronKey, httpWorld, secretKey, send, tokenOf } from "../support/http_world.ts";

const dataset = "7e57d004-2b97-4e7a-b45f-5387367791cd";

// deno-lint-ignore no-explicit-any -- whatever a method was given
type Asked = any;

/** The app over a catalog whose method only remembers what it was asked. */
function recorded(method: string, answer: unknown, env: Record<string, string> = {}) {
  const world = httpWorld({ env });
  const asked: Asked[] = [];
  (world.services.catalog as Asked)[method] = (args: unknown) => {
    asked.push(args);
    return Promise.resolve(answer);
  };
  return { app: createCompactionApp(world.services), asked, ...world };
}

const user = async (id = alice) => ({ authorization: `Bearer ${await tokenOf(id)}` });

Deno.test("health says that functions are newer than the schema, by 503 and the reason", async () => {
  for (
    const [schema, status, reasons] of [[neededSchema - 1, 503, ["schema_outdated"]], [
      neededSchema,
      200,
      [],
    ]] as const
  ) {
    const { services } = httpWorld();
    const health = { ok: true, reasons: [] };
    services.catalog = requireSchema({
      ...services.catalog,
      schemaVersion: () => Promise.resolve(schema),
      catalogHealth: () => Promise.resolve(health as unknown as Asked),
    });
    const answer = await send(createCompactionApp(services), "GET", "/compaction");
    assert.equal(answer.status, status, JSON.stringify(answer.body));
    const said = (answer.body.reasons ?? []).map(({ code }: { code: string }) => code)
      .filter((code: string) => code !== "wasm_missing");
    assert.deepEqual(said, reasons);
    if (status === 503) assert.match(answer.body.reasons[0].detail, /supabase db push/);
  }
});

Deno.test("a redrive whose filter is written wrong redrives nothing", async () => {
  const { app, asked } = recorded("redriveDeadLetters", { redriven: [], skipped: [], more: false });
  const redrive = async (json: unknown) =>
    (await send(app, "POST", "/compaction/dlq/redrive", { headers: await user(), json })).status;
  for (const json of [{ dataset }, { error: "internal" }, { id: [1] }, { ids: [] }]) {
    assert.equal(await redrive(json), 400, JSON.stringify(json));
  }
  assert.equal(asked.length, 0);
  assert.equal(await redrive({ dataset_id: dataset, error_code: "internal" }), 202);
  assert.deepEqual(asked[0].filter, { dataset_id: dataset, error_code: "internal" });
  assert.equal(await redrive({ datasetId: dataset }), 202);
  assert.deepEqual(asked[1].filter, { dataset_id: dataset });
});

Deno.test("a request whose scope is written wrong asks for nothing", async () => {
  const { app, asked } = recorded("requestCompaction", {});
  const requests: [string, Record<string, unknown>][] = [
    ["/compaction", { datasetId: dataset, tabel: "battles" }],
    ["/compaction", { datasetId: dataset, table: "battles", period: "2024-11-25" }],
    ["/compaction/sanitize-state", { datasetId: dataset, table: "battles" }],
  ];
  for (const [path, json] of requests) {
    const answer = await send(app, "POST", path, { headers: await user(), json });
    assert.equal(answer.status, 400, JSON.stringify(json));
  }
  assert.equal(asked.length, 0);
});

Deno.test("an owner retries files in quarantine, as the user of the token", async () => {
  const { app, asked } = recorded("retryQuarantined", {
    dataset_id: dataset,
    files: [3],
    requested: [],
  });
  const retry = async (json: unknown, headers?: Record<string, string>) =>
    await send(app, "POST", "/compaction/quarantine/retry", {
      headers: headers ?? await user(),
      json,
    });
  const answer = await retry({ datasetId: dataset, files: [3] });
  assert.equal(answer.status, 202, JSON.stringify(answer.body));
  assert.deepEqual(asked[0], { user: alice, dataset, files: [3] });
  await retry({ datasetId: dataset }, { apikey: secretKey });
  assert.deepEqual(asked[1], { user: null, dataset, files: null });
  assert.equal((await retry({ datasetId: dataset, file: 3 })).status, 400);
  assert.equal((await retry({ datasetId: dataset, user_id: dataset })).status, 403);
  assert.equal((await retry({ datasetId: dataset }, {})).status, 401);
  assert.equal(asked.length, 2);
});

Deno.test("the scheduled trigger takes its bounds from the environment, else from the settings", async () => {
  const answer = { datasets: [], partitions: 0, more: false };
  const trigger = async (env: Record<string, string>) => {
    const { app, asked } = recorded("triggerScheduled", answer, env);
    const headers = { apikey: secretKey };
    await send(app, "POST", "/compaction/trigger-scheduled", { headers });
    return asked[0];
  };
  assert.deepEqual(await trigger({}), { maxDatasets: null, concurrency: null, delayMs: null });
  assert.deepEqual(
    await trigger({
      MAX_DATASETS_PER_RUN: "7",
      SCHEDULE_CONCURRENCY: "2",
      SCHEDULE_DELAY_MS: "1500",
    }),
    { maxDatasets: 7, concurrency: 2, delayMs: 1500 },
  );
});

Deno.test("requests with missing fields, an unknown priority or 100 KB of nothing are refused with a code", async () => {
  const { app, asked } = recorded("requestCompaction", {});
  const headers = { apikey: secretKey };
  for (
    const json of [
      {},
      { datasetId: "x" },
      { datasetId: dataset, priority: "urgent" },
      { datasetId: dataset, table: "../t" },
      { datasetId: "x".repeat(100_000) },
    ]
  ) {
    const answer = await send(app, "POST", "/compaction", { headers, json });
    assert.equal(answer.status, 400);
    assert.ok(answer.body.code);
    assert.ok(answer.bytes.length < 2000, "the answer does not echo what was sent");
  }
  assert.equal(asked.length, 0);
});

Deno.test("a vacuum that leaves work asks for its successor, one that is done does not", async () => {
  const { services } = httpWorld({ env: { SEDIMENT_TURN_SECONDS: "1" } });
  let left = 2, woken = 0;
  Object.assign(services.catalog, {
    planVacuum: async () => {
      const more = --left > 0;
      if (more) await new Promise((resolve) => setTimeout(resolve, 1100));
      return { dry_run: false, versions: [], files_dropped: 1, delete: [], more };
    },
    wakeVacuum: () => Promise.resolve({ woken: ++woken > 0 }),
  });
  const app = createCompactorApp(services, () => Promise.reject(new Error("no merge here")));
  const vacuum = () => send(app, "POST", "/compactor/vacuum", { headers: { apikey: secretKey } });
  assert.equal((await vacuum()).body.unfinished, true);
  assert.equal(woken, 1);
  assert.equal((await vacuum()).body.unfinished, false);
  assert.equal(woken, 1);
});

Deno.test("a vacuum first goes on with all that is to be deleted, and is held up by none that fails", async () => {
  const { services } = httpWorld();
  let left = 3;
  const calls: string[] = [];
  Object.assign(services.catalog, {
    advanceDeletions: () => {
      calls.push("deletions");
      if (left === 0) throw new SedimentError("catalog_failed", "a deletion that fails");
      return Promise.resolve({ advanced: dataset, more: --left > 0 });
    },
    planVacuum: () => {
      calls.push("vacuum");
      const plan = { dry_run: false, versions: [], files_dropped: 0, delete: [], more: false };
      return Promise.resolve(plan);
    },
  });
  const app = createCompactorApp(services, () => Promise.reject(new Error("no merge here")));
  const vacuum = async () =>
    (await send(app, "POST", "/compactor/vacuum", { headers: { apikey: secretKey } })).body;
  const first = await vacuum();
  assert.deepEqual([first.deletion_slices, first.deletion_error], [2, undefined]);
  assert.deepEqual(calls, ["deletions", "deletions", "deletions", "vacuum"]);
  const second = await vacuum();
  assert.deepEqual([second.deletion_slices, second.deletion_error], [0, "a deletion that fails"]);
  assert.equal(second.unfinished, false);
  assert.equal(calls.at(-1), "vacuum");
});

Deno.test("more deletions than a worker's time is for are left to its successor", async () => {
  const { services } = httpWorld();
  let woken = 0;
  Object.assign(services.catalog, {
    advanceDeletions: () => Promise.resolve({ advanced: dataset, more: true }),
    planVacuum: () =>
      Promise.resolve({ dry_run: false, versions: [], files_dropped: 0, delete: [], more: false }),
    wakeVacuum: () => Promise.resolve({ woken: ++woken > 0 }),
  });
  const app = createCompactorApp(services, () => Promise.reject(new Error("no merge here")));
  const answer = await send(app, "POST", "/compactor/vacuum", { headers: { apikey: secretKey } });
  assert.deepEqual([answer.body.deletion_slices, answer.body.unfinished, woken], [200, true, 1]);
});

Deno.test("a vacuum's dry run over HTTP lists what it would do; dry_run=false is none", async () => {
  const { services, store } = httpWorld();
  const dry: unknown[] = [];
  (services.catalog as Asked).planVacuum = ({ dryRun }: { dryRun?: boolean }) => {
    dry.push(dryRun === true);
    return Promise.resolve({
      dry_run: dryRun === true,
      versions: [],
      files_dropped: 1,
      delete: [{ object_key: "a", kind: "fragment", state: "deleting", size: 3, reason: "old" }],
      more: false,
    });
  };
  (services.catalog as Asked).commitVacuum = () => Promise.resolve({ tombstones: 1, ignored: 0 });
  await store.put("a", new Uint8Array(3));
  const app = createCompactorApp(services, () => Promise.reject(new Error("no merge here")));
  const vacuum = async (query: string) =>
    (await send(app, "POST", `/compactor/vacuum${query}`, { headers: { apikey: secretKey } })).body;
  const { would } = await vacuum("?dry_run");
  assert.deepEqual(would.delete[0], {
    object_key: "a",
    kind: "fragment",
    state: "deleting",
    size: 3,
    reason: "old",
  });
  assert.equal(store.objects.size, 1);
  assert.equal((await vacuum("?dryrun=1")).code, "invalid_request");
  assert.equal((await vacuum("?dry_run=false")).objects_deleted, 1);
  assert.equal(store.objects.size, 0);
  assert.deepEqual(dry, [true, false]);
});

Deno.test("a service is told of the deployment, and of no secret's value; nobody else is", async () => {
  const { services } = httpWorld({ env: { SEDIMENT_TOKEN_KEY: "a token key of sixteen" } });
  const app = createCompactionApp(services);
  for (const method of ["GET", "POST"]) {
    const ask = (headers: Record<string, string>) =>
      send(app, method, "/compaction/deployment", { headers });
    const { status, body } = await ask({ apikey: cronKey });
    assert.equal(status, 200);
    assert.equal(body.asked_with, "cron");
    assert.deepEqual(body.secret_key_names, ["default", "cron"]);
    assert.deepEqual(body.signing_keys, { source: "SUPABASE_JWKS", count: 1, kids: ["k1"] });
    assert.equal(body.urls.functions, "https://public.example/functions/v1");
    assert.deepEqual(body.missing_wasm, []);
    const value = (name: string) => body.variables.find((v: { name: string }) => v.name === name);
    assert.deepEqual(value("SEDIMENT_TOKEN_KEY"), { name: "SEDIMENT_TOKEN_KEY" });
    assert.equal(value("PUBLIC_URL").value, "https://public.example");
    for (const secret of [secretKey, cronKey, "a token key of sixteen"]) {
      assert.ok(!JSON.stringify(body).includes(secret));
    }
    assert.equal((await ask(await user())).status, 403);
    assert.equal((await ask({})).status, 401);
  }
});
