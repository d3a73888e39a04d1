import { strict as assert } from "node:assert";
import { createCompactionApp } from "../../functions/compaction/app.ts";
import { alice, bob, cronKey, httpWorld, secretKey, send, tokenOf } from "../support/http_world.ts";

// deno-lint-ignore no-explicit-any -- arguments of any method
type Asked = any;

/** The app over a catalog whose methods of the console only remember what they were asked. */
function recorded() {
  const world = httpWorld();
  const asked: [string, Asked][] = [];
  const answer = { datasets: [], next_cursor: null };
  for (
    const method of [
      "readOverview",
      "listDatasets",
      "listPartitions",
      "listRuns",
      "runTimeline",
      "listQuarantined",
      "readSettings",
      "changeSettings",
      "dropDeadLetters",
    ]
  ) {
    (world.services.catalog as Asked)[method] = (args: unknown) => {
      asked.push([method, args]);
      return Promise.resolve(answer);
    };
  }
  return { app: createCompactionApp(world.services), asked, answer };
}

const run = "7e57d004-2b97-4e7a-b45f-5387367791cd";
const paths = [
  "overview",
  "datasets",
  "partitions?state=stuck",
  "runs",
  `runs/${run}`,
  "quarantine",
];

Deno.test("each list of the console is of the user who asks, whatever else is asked for", async () => {
  const { app, asked } = recorded();
  const headers = { authorization: `Bearer ${await tokenOf(alice)}`, "x-sediment-user": bob };
  for (const path of paths) {
    assert.equal((await send(app, "GET", `/compaction/${path}`, { headers })).status, 200, path);
  }
  assert.equal(asked.length, paths.length);
  assert.deepEqual([...new Set(asked.map(([, { user }]) => user))], [alice]);
});

Deno.test("a service sees all, or what one user does, and the settings alone", async () => {
  const { app, asked } = recorded();
  await send(app, "GET", "/compaction/datasets", { headers: { apikey: secretKey } });
  await send(app, "GET", "/compaction/datasets", {
    headers: { apikey: secretKey, "x-sediment-user": bob },
  });
  assert.deepEqual(asked.map(([, { user }]) => user), [null, bob]);
  const settings = async (headers: Record<string, string>) =>
    (await send(app, "GET", "/compaction/settings", { headers })).status;
  assert.equal(await settings({ apikey: secretKey }), 200);
  assert.equal(await settings({ authorization: `Bearer ${await tokenOf(alice)}` }), 403);
  assert.equal(await settings({}), 401);
  // cron's key opens what cron needs
  assert.equal(
    (await send(app, "GET", "/compaction/datasets", { headers: { apikey: cronKey } })).status,
    403,
  );
});

Deno.test("who has the answer already is told so, until it changes", async () => {
  const { app, answer } = recorded();
  const get = (etag?: string) =>
    send(app, "GET", "/compaction/datasets", {
      headers: { apikey: secretKey, ...(etag !== undefined && { "if-none-match": etag }) },
    });
  const first = await get();
  const etag = first.headers.get("etag")!;
  assert.match(etag, /^W\/"/);
  assert.equal(first.headers.get("cache-control"), "private, no-cache");
  const again = await get(`"another", ${etag}`);
  assert.deepEqual([again.status, again.bytes.length], [304, 0]);
  Object.assign(answer, { next_cursor: "more" });
  assert.equal((await get(etag)).status, 200);
});

Deno.test("a question that is written wrong asks the catalog nothing", async () => {
  const { app, asked } = recorded();
  for (
    const path of [
      "overview?window=1y",
      "partitions?state=dead",
      "partitions?dataset_id=x",
      "runs?before=yesterday",
      "runs?failed=true",
      "datasets?limit=0",
      "quarantine?table=a",
    ]
  ) {
    const { status } = await send(app, "GET", `/compaction/${path}`, {
      headers: { apikey: secretKey },
    });
    assert.equal(status, 400, path);
  }
  const { body } = await send(app, "GET", "/compaction/runs/none", {
    headers: { apikey: secretKey },
  });
  assert.equal(body.code, "run_not_found");
  assert.equal(asked.length, 0);
});

Deno.test("settings are changed by a key that may act for users, and a refusal names its field", async () => {
  const { app, asked, answer } = recorded();
  Object.assign(answer, { changed: ["max_workers"], refused: null });
  const patch = (headers: Record<string, string>, body: unknown) =>
    send(app, "PATCH", "/compaction/settings", { headers, body: JSON.stringify(body) });
  const changes = { max_workers: 8 };
  for (
    const [headers, status] of [
      [{}, 401],
      [{ authorization: `Bearer ${await tokenOf(alice)}` }, 403],
      [{ apikey: cronKey }, 403],
      [{ apikey: secretKey, "x-sediment-user": bob }, 403],
    ] as [Record<string, string>, number][]
  ) {
    assert.equal((await patch(headers, { changes })).status, status);
  }
  assert.equal(asked.length, 0);
  const service = { apikey: secretKey };
  assert.equal((await patch(service, { changes, reset: ["codec"] })).status, 200);
  assert.deepEqual(asked.pop()![1], {
    settings: "service_settings",
    changes,
    reset: ["codec"],
    dataset: null,
    table: null,
    ofUser: null,
    by: "key default",
  });
  assert.equal((await patch(service, { changes, dataset_id: run, table: "*" })).status, 200);
  assert.equal(asked.pop()![1].settings, "table_settings");
  assert.equal((await patch(service, { changes, user_id: bob })).status, 200);
  assert.equal(asked.pop()![1].settings, "user_limits");
  for (const body of [{ changes, table: "t" }, { changes, dataset_id: run }, { chnages: {} }]) {
    assert.equal((await patch(service, body)).status, 400, JSON.stringify(body));
  }
  Object.assign(answer, {
    refused: { field: "max_workers", why: "it is out of bounds", expected: "max_workers <= 64" },
  });
  const refusal = await patch(service, { changes });
  assert.equal(refusal.status, 400);
  const { code, field, expected } = refusal.body;
  assert.deepEqual([code, field, expected], ["invalid_config", "max_workers", "max_workers <= 64"]);
});

Deno.test("dead letters are closed for whom they are, and never all at once", async () => {
  const { app, asked } = recorded();
  const drop = async (headers: Record<string, string>, body: unknown) =>
    (await send(app, "POST", "/compaction/dlq/drop", { headers, body: JSON.stringify(body) }))
      .status;
  const user = { authorization: `Bearer ${await tokenOf(alice)}` };
  assert.equal(await drop(user, { ids: [7] }), 200);
  assert.deepEqual(asked.pop()![1], { user: alice, ids: [7] });
  for (const body of [{}, { ids: [] }, { ids: [7], table: "t" }]) {
    assert.equal(await drop(user, body), 400);
  }
  assert.equal(asked.length, 0);
});
