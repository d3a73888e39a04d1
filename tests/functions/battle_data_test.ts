import { strict as assert } from "node:assert";
import { parquetWriteBuffer } from "hyparquet-writer";
import { generateKeyPair } from "jose";
import { createBattleDataApp } from "../../functions/battle-data/app.ts";
import { sha256 } from "../../shared/uploads/digests.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";
import {
  alice,
  bob,
  cronKey,
  httpWorld,
  type HttpWorldOptions,
  publishableKey,
  secretKey,
  send,
  tokenOf,
} from "../support/http_world.ts";

const dataset = "00000000-0000-4000-8000-0000000000d1";

async function world(options: HttpWorldOptions = {}) {
  const { services, catalog, store } = httpWorld(options);
  const app = createBattleDataApp(services);
  const bearer = async (user = alice) => ({ authorization: `Bearer ${await tokenOf(user)}` });
  const describe = (bytes: Uint8Array, some: Record<string, unknown> = {}) => ({
    dataset_id: dataset,
    table: "battles",
    period_tag: "2024-11-25",
    file_size: bytes.length,
    content_hash: sha256(bytes),
    ...some,
  });
  const plan = async (bytes: Uint8Array, some: Record<string, unknown> = {}) =>
    await send(app, "POST", "/battle-data/upload", {
      headers: await bearer(),
      json: describe(bytes, some),
    });
  /** Stores a body of two slices. */
  const twoSlices = async () => {
    const [a, b] = [tinyParquet([1, 2, 3]), tinyParquet([4, 5])];
    const body = new Uint8Array([...a, ...b]);
    const planned = await plan(body, {
      table_offsets: [
        { table_name: "a", start_byte: 0, byte_length: a.length, num_rows: 3 },
        { table_name: "b", start_byte: a.length, byte_length: b.length, num_rows: 2 },
      ],
    });
    const stored = await send(app, "PUT", planned.body.uploadUrl, { body });
    assert.equal(stored.status, 200, JSON.stringify(stored.body));
    return { a, b };
  };
  return { app, services, catalog, store, bearer, describe, plan, twoSlices: await twoSlices };
}

Deno.test("anyone may ask how large an upload may be, and that is how large it may be", async () => {
  const { app, plan } = await world();
  const { status, body } = await send(app, "GET", "/battle-data/limits");
  assert.equal(status, 200);
  const planned = await plan(tinyParquet([1]), { file_size: body.max_body_bytes });
  assert.equal(planned.status, 200);
  const refused = await plan(tinyParquet([1]), { file_size: body.max_body_bytes + 1 });
  assert.deepEqual([refused.status, refused.body.max_bytes], [413, body.max_body_bytes]);
  assert.ok(body.max_direct_bytes > body.max_body_bytes);
  assert.equal(body.max_asset_bytes, body.max_direct_bytes, "of a catalog that says no other");
});

Deno.test("the limit of assets is that of the user who may have the largest, as far as the way takes it", async () => {
  for (const [maxAssetBytes, said] of [[1000, 1000], [Number.MAX_SAFE_INTEGER, undefined]]) {
    const { app } = await world({ catalog: { maxAssetBytes } });
    const { body } = await send(app, "GET", "/battle-data/limits");
    assert.equal(body.max_asset_bytes, said ?? body.max_direct_bytes);
  }
});

Deno.test("a file that the store would refuse for its size is refused when it is planned", async () => {
  const most = 3 * 1024 * 1024;
  let asked = 0;
  const { app, plan, bearer, describe } = await world({
    catalog: {
      maxObjectBytes: most,
      before: ({ method }) => void (method === "objectLimit" && asked++),
    },
  });
  const { body: limits } = await send(app, "GET", "/battle-data/limits");
  assert.deepEqual([limits.max_body_bytes, limits.max_direct_bytes], [most, most]);
  const bytes = tinyParquet([1]), headers = await bearer();
  for (const query of ["", "?direct=1"]) {
    const planned = (file_size: number) =>
      send(app, "POST", `/battle-data/upload${query}`, {
        headers,
        json: describe(bytes, { file_size }),
      });
    assert.equal((await planned(most)).status, 200);
    const { status, body } = await planned(most + 1);
    assert.deepEqual([status, body.code, body.field, body.max_bytes], [
      413,
      "body_too_large",
      "file_size",
      most,
    ]);
  }
  assert.equal(asked, 1, "it is remembered");
  assert.equal((await plan(bytes)).status, 200);
});

Deno.test("an upload in two requests is stored with two catalog calls and one put", async () => {
  const calls: string[] = [];
  const { app, plan, catalog } = await world({
    store: { before: ({ method }) => void calls.push(method) },
  });
  const bytes = tinyParquet([1, 2, 3]);
  const planned = await plan(bytes);
  assert.equal(planned.status, 200, JSON.stringify(planned.body));
  assert.match(
    planned.body.uploadUrl,
    /^https:\/\/public\.example\/functions\/v1\/battle-data\/upload\//,
  );
  const life = Date.parse(planned.body.expiresAt) - Date.now();
  assert.ok(life > 110_000 && life <= 120_000, String(life));
  const stored = await send(app, "POST", planned.body.uploadUrl, { body: bytes });
  assert.equal(stored.status, 200, JSON.stringify(stored.body));
  const { ok, key, size, uploaded_at, metricId, duplicate } = stored.body;
  assert.deepEqual([ok, size, duplicate], [true, bytes.length, false]);
  assert.ok(key && metricId && Date.parse(uploaded_at));
  assert.deepEqual(catalog.state.calls.map(({ method }) => method), [
    "stageUpload",
    "commitUpload",
  ]);
  assert.deepEqual(calls, ["put"]);
});

Deno.test("an uploadUrl of 128 slices with the longest names still fits through proxies", async () => {
  const { plan } = await world();
  const table_offsets = Array.from({ length: 128 }, (_, n) => ({
    table_name: `${n}`.padStart(64, "t"),
    start_byte: n * 8_000,
    byte_length: 7_999,
    num_rows: 1_000_000 + n,
  }));
  const planned = await plan(new Uint8Array(1_024_000), { table_offsets });
  assert.equal(planned.status, 200, JSON.stringify(planned.body));
  assert.ok(planned.body.uploadUrl.length < 16_000, String(planned.body.uploadUrl.length));
});

Deno.test("credentials: who is taken and what is said of who is not", async () => {
  const { app, describe, plan } = await world();
  const stranger = await generateKeyPair("ES256");
  const bytes = tinyParquet([1]);
  const status = async (headers: Record<string, string>) => {
    const json = describe(bytes);
    const answer = await send(app, "POST", "/battle-data/upload", { headers, json });
    return [answer.status, answer.body.code ?? "taken"];
  };
  const refused = [401, "unauthenticated"];
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  assert.deepEqual(await status(bearer(await tokenOf(alice))), [200, "taken"]);
  assert.deepEqual(await status({}), refused);
  assert.deepEqual(await status(bearer(await tokenOf(alice, { expiresInSeconds: -60 }))), refused);
  assert.deepEqual(
    await status(bearer(await tokenOf(alice, { key: stranger.privateKey }))),
    refused,
  );
  assert.deepEqual(await status(bearer(await tokenOf(alice, { kid: "k2" }))), refused);
  assert.deepEqual(await status(bearer(await tokenOf("not-a-uuid"))), refused);
  assert.deepEqual(await status({ apikey: publishableKey }), refused);
  assert.deepEqual(await status({ apikey: `${secretKey}x` }), refused);
  assert.deepEqual(await status({ apikey: secretKey, "x-sediment-user": alice }), [200, "taken"]);
  const cronOnly = [403, "forbidden"];
  assert.deepEqual(await status({ apikey: cronKey, "x-sediment-user": alice }), cronOnly);
  assert.deepEqual(await status({ apikey: secretKey }), [400, "invalid_request"]);
  // who plans does not own: bytes do
  assert.deepEqual(await status(bearer(await tokenOf(bob))), [200, "taken"]);
  const planned = await plan(bytes);
  assert.equal((await send(app, "PUT", planned.body.uploadUrl, { body: bytes })).status, 200);
  assert.deepEqual(
    await status({ ...bearer(await tokenOf(bob)), "x-sediment-user": alice }),
    [403, "dataset_forbidden"],
    "a user who names another acts as himself",
  );
});

Deno.test("a refusal never tells a key, a hash of one, or a stack", async () => {
  const { app, describe } = await world();
  const answer = await send(app, "POST", "/battle-data/upload", {
    headers: { apikey: "sb_secret_wrong" },
    json: describe(tinyParquet([1])),
  });
  const text = new TextDecoder().decode(answer.bytes);
  for (const secret of [secretKey, cronKey, "sb_secret_wrong", "at file", ".ts:"]) {
    assert.ok(!text.includes(secret), text);
  }
});

Deno.test("an expired uploadUrl is 410 and one of an older shape 401", async () => {
  let now = new Date();
  const { app, plan, services } = await world({ now: () => now });
  const bytes = tinyParquet([1]);
  const planned = await plan(bytes);
  now = new Date(now.getTime() + 121_000);
  const late = await send(app, "PUT", planned.body.uploadUrl, { body: bytes });
  assert.deepEqual([late.status, late.body.code], [410, "token_expired"]);
  const odd = services.tokens.sign("upload", ["another", "shape"], new Date(now.getTime() + 1000));
  const other = await send(app, "PUT", `/battle-data/upload/another?token=${odd}`, { body: bytes });
  assert.deepEqual([other.status, other.body.code], [401, "token_invalid"]);
});

Deno.test("an outage of the store is 503 with Retry-After, and the same URL works afterwards", async () => {
  let broken = true;
  const { SedimentError } = await import("../../shared/errors.ts");
  const { app, plan } = await world({
    store: {
      before: ({ method }) => {
        if (method === "put" && broken) {
          throw new SedimentError("store_failed", "the host is secret.internal");
        }
      },
    },
  });
  const bytes = tinyParquet([1]);
  const planned = await plan(bytes);
  const real = console.error;
  console.error = () => {};
  const failed = await send(app, "PUT", planned.body.uploadUrl, { body: bytes });
  console.error = real;
  assert.deepEqual([failed.status, failed.body.code], [503, "store_failed"]);
  assert.ok(Number(failed.headers.get("retry-after")) > 0);
  assert.ok(!failed.body.detail.includes("secret.internal"));
  broken = false;
  assert.equal((await send(app, "PUT", planned.body.uploadUrl, { body: bytes })).status, 200);
});

Deno.test("the manifest gives whole objects a store's URL and slices one of ours", async () => {
  const { app, plan, bearer, twoSlices } = await world();
  const bytes = tinyParquet([7]);
  const planned = await plan(bytes, { table: "whole" });
  await send(app, "PUT", planned.body.uploadUrl, { body: bytes });
  await twoSlices();
  const list = async (query: string) =>
    (await send(app, "GET", `/battle-data/${query}dataset_id=${dataset}`, {
      headers: await bearer(),
    })).body;
  const { files, next_cursor } = await list("latest?");
  assert.equal(next_cursor, null);
  const urlOf = (table: string) =>
    files.find((file: { table: string }) => file.table === table).url;
  assert.match(
    urlOf("a"),
    /^https:\/\/public\.example\/functions\/v1\/battle-data\/files\/\d+\/content\?token=/,
  );
  assert.ok(!urlOf("whole").includes("/battle-data/files/"));
  for (const file of files) {
    for (const hidden of ["object_key", "start_byte", "byte_length"]) {
      assert.ok(!(hidden in file), hidden);
    }
  }
  const unsigned = await list("chunks?");
  assert.ok(unsigned.files.every((file: object) => !("url" in file)));
  const paged = await list("chunks?limit=2&signed=1&");
  assert.equal(paged.files.length, 2);
  assert.ok(paged.next_cursor);
  const sum = (field: "row_count" | "size") =>
    files.reduce((total: number, file: Record<string, number>) => total + file[field], 0);
  const totals = { files: files.length, rows: sum("row_count"), bytes: sum("size") };
  const { uncompressed_bytes: _bytes, ...told } = paged.totals;
  assert.deepEqual(told, totals, "a page says how much there is beside it");
});

Deno.test("the tables have their columns, united as a merge unites them, and their sums", async () => {
  const { app, plan, bearer } = await world();
  const columns = (
    data: Record<string, unknown[]>,
    types: Record<string, "INT32" | "INT64" | "BYTE_ARRAY">,
  ) =>
    new Uint8Array(parquetWriteBuffer({
      columnData: Object.entries(data).map(([name, data]) => ({ name, data, type: types[name] })),
      codec: "UNCOMPRESSED",
    }));
  const store = async (table: string, period_tag: string, bytes: Uint8Array<ArrayBuffer>) => {
    const planned = await plan(bytes, { table, period_tag });
    const stored = await send(app, "PUT", planned.body.uploadUrl, { body: bytes });
    assert.equal(stored.status, 200, JSON.stringify(stored.body));
    return bytes.length;
  };
  const int = columns({ n: [1, 2] }, { n: "INT32" });
  const long = columns({ n: [5n], m: [7n] }, { n: "INT64", m: "INT64" });
  const text = columns({ n: [new Uint8Array([1])] }, { n: "BYTE_ARRAY" });
  const bytes = await store("t", "2024-11-25", int) + await store("t", "2024-11-26", long);
  await store("odd", "0", int);
  await store("odd", "0", text);
  const list = async (query = "", user = alice) =>
    await send(app, "GET", `/battle-data/tables?dataset_id=${dataset}${query}`, {
      headers: await bearer(user),
    });
  const { status, body } = await list();
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(body.next_cursor, null);
  const [t, odd] = body.tables;
  assert.deepEqual([t.table, t.files, t.rows, t.bytes], ["t", 2, 3, bytes]);
  assert.deepEqual(
    t.periods.map((one: Record<string, unknown>) => [one.period_tag, one.files, one.rows]),
    [["2024-11-25", 1, 2], ["2024-11-26", 1, 1]],
  );
  assert.deepEqual(t.columns, [
    { name: "n", type: "INT64", repetition: "optional" },
    { name: "m", type: "INT64", repetition: "optional" },
  ]);
  assert.deepEqual([t.conflict, t.continues, "schemas" in t], [null, false, false]);
  assert.deepEqual(odd.columns, [{ name: "n", type: "INT32", repetition: "optional" }]);
  assert.match(odd.conflict, /column n/);

  const withSchemas = (await list("&schemas=1")).body.tables[0].schemas;
  assert.deepEqual(withSchemas.map((one: { rows: number }) => one.rows), [2, 1]);
  assert.equal(withSchemas[0].schema.children[0].name, "n");

  const first = (await list("&limit=1")).body;
  assert.deepEqual(
    first.tables.map((one: Record<string, unknown>) => [one.table, one.files, one.continues]),
    [["t", 1, true]],
  );
  const second = (await list(`&limit=3&cursor=${first.next_cursor}`)).body;
  assert.deepEqual(
    second.tables.map((one: Record<string, unknown>) => [one.table, one.files, one.continues]),
    [["t", 1, false], ["odd", 2, false]],
  );

  assert.equal((await list("", bob)).body.code, "dataset_forbidden");
  assert.equal((await list("&limit=0")).body.code, "invalid_request");
  assert.equal((await send(app, "GET", `/battle-data/tables?dataset_id=${dataset}`)).status, 401);
  const post = await send(app, "POST", "/battle-data/tables");
  assert.deepEqual([post.status, post.headers.get("allow")], [405, "GET"]);
});

Deno.test("a slice is a Parquet file of its own, read by whoever has its URL", async () => {
  const { app, bearer, twoSlices } = await world();
  const { a, b } = await twoSlices();
  const { body } = await send(app, "GET", `/battle-data/latest?dataset_id=${dataset}`, {
    headers: await bearer(),
  });
  for (const [n, bytes] of [a, b].entries()) {
    const whole = await send(app, "GET", body.files[n].url);
    assert.equal(whole.status, 200);
    assert.deepEqual(whole.bytes, bytes);
    const range = await send(app, "GET", body.files[n].url, { headers: { range: "bytes=-4" } });
    assert.equal(range.status, 206);
    assert.equal(new TextDecoder().decode(range.bytes), "PAR1");
  }
  const head = await send(app, "HEAD", body.files[1].url);
  assert.equal(head.headers.get("content-length"), String(b.length));
  // what a purge takes away is in no cache
  assert.equal(head.headers.get("cache-control"), "private, no-store");
  assert.match(head.headers.get("vary")!, /authorization/);
  assert.equal(head.headers.get("x-content-type-options"), "nosniff");
  assert.equal(head.bytes.length, 0);
  // A Range is for GET only (RFC 9110 section 14.2).
  const part = await send(app, "HEAD", body.files[1].url, { headers: { range: "bytes=0-3" } });
  assert.deepEqual([part.status, part.headers.get("content-length")], [200, String(b.length)]);
  const beyond = await send(app, "GET", body.files[1].url, {
    headers: { range: `bytes=${b.length}-` },
  });
  assert.deepEqual([beyond.status, beyond.body.code], [416, "range_not_satisfiable"]);
  assert.equal(beyond.headers.get("content-range"), `bytes */${b.length}`);
  assert.equal(beyond.headers.get("access-control-allow-origin"), "*");
});

Deno.test("If-Match asks for one file: its ETag or * is served, another or a weak one is 412", async () => {
  const { app, bearer, twoSlices } = await world();
  const { a } = await twoSlices();
  const { body } = await send(app, "GET", `/battle-data/latest?dataset_id=${dataset}`, {
    headers: await bearer(),
  });
  const [{ url }] = body.files;
  const get = (headers: Record<string, string>) => send(app, "GET", url, { headers });
  const etag = (await get({})).headers.get("etag")!;
  for (const match of [etag, `"other", ${etag}`, "*"]) {
    const taken = await get({ "if-match": match, range: "bytes=0-3" });
    assert.deepEqual([taken.status, taken.bytes], [206, a.slice(0, 4)], match);
  }
  for (const match of ['"other"', `W/${etag}`]) {
    const refused = await get({ "if-match": match, "if-none-match": etag });
    assert.deepEqual([refused.status, refused.body.code], [412, "precondition_failed"], match);
  }
});

Deno.test("a content URL is good for its file only and not for ever", async () => {
  let now = new Date();
  const { app, bearer, twoSlices } = await world({ now: () => now });
  await twoSlices();
  const { body } = await send(app, "GET", `/battle-data/latest?dataset_id=${dataset}`, {
    headers: await bearer(),
  });
  const [first, second] = body.files.map(({ url }: { url: string }) => new URL(url));
  const swapped = `${second.pathname}${first.search}`;
  assert.equal((await send(app, "GET", swapped)).body.code, "token_invalid");
  assert.equal((await send(app, "GET", first.pathname)).status, 401);
  assert.equal((await send(app, "GET", first.pathname, { headers: await bearer() })).status, 200);
  assert.equal(
    (await send(app, "GET", first.pathname, { headers: await bearer(bob) })).status,
    403,
  );
  now = new Date(now.getTime() + 3_601_000);
  assert.equal((await send(app, "GET", first.href)).body.code, "token_expired");
});
