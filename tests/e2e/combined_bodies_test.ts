import { strict as assert } from "node:assert";
import { type CatalogWay, catalogWays } from "../../supabase/local/stack.ts";
import { call, until, uploadForm } from "../support/client.ts";
import { bodyOf, latest, openProtocols, tables } from "./protocols_world.ts";

for (const catalog of catalogWays) {
  Deno.test(`bodies of many tables, over HTTP and ${catalog}`, (t) => protocols(t, catalog));
}

async function protocols(t: Deno.TestContext, catalog: CatalogWay): Promise<void> {
  await using world = await openProtocols(catalog);
  const { stack, traces, folder, duckdb, alice, bob, dataset, describe, post, assertRows } = world;
  await t.step("a body of 12 tables, Avro and Parquet mixed, is 12 data files", async () => {
    const { bytes, offsets } = await bodyOf(duckdb, folder, 0);
    const planned = await post(
      "/battle-data/upload",
      describe(bytes, {
        table: "combined",
        table_offsets: JSON.stringify(offsets),
        binary: true,
      }),
    );
    assert.equal(planned.status, 200, JSON.stringify(planned.body));
    for (const duplicate of [false, true]) {
      const stored = await call(stack, "POST", planned.body.uploadUrl, { body: bytes });
      assert.equal(stored.status, 200, JSON.stringify(stored.body));
      assert.equal(stored.body.duplicate, duplicate);
      assert.equal(stored.body.size, bytes.length);
      const named = stored.body.runs.map(({ table }: { table: string }) => table);
      assert.deepEqual(named, tables.toSorted());
    }
    const { stored: objects } = await traces.read();
    assert.equal(objects, 1, "one object for all of them");
  });

  await t.step("DuckDB opens each slice before compaction, by its signed URL", async () => {
    const files = await latest(stack, alice, dataset);
    assert.equal(files.length, 12);
    await assertRows(files, 1);
  });

  await t.step(
    "a slice is served with Range, HEAD and ETag, to the bearer of its URL",
    async () => {
      const [file] = await latest(stack, alice, dataset);
      const whole = await fetch(file.url);
      const bytes = await whole.bytes();
      assert.equal(bytes.length, file.size);
      const etag = whole.headers.get("etag")!;
      assert.equal(whole.headers.get("accept-ranges"), "bytes");

      const get = async (headers: Record<string, string>, method = "GET", url = file.url) => {
        const response = await fetch(url, { method, headers });
        return { response, body: await response.bytes() };
      };
      const head = await get({}, "HEAD");
      assert.equal(head.response.headers.get("content-length"), String(file.size));
      assert.equal(head.body.length, 0);
      const tail = await get({ range: "bytes=-8" });
      assert.equal(tail.response.status, 206);
      assert.deepEqual(tail.body, bytes.slice(-8));
      assert.equal(new TextDecoder().decode(tail.body.slice(4)), "PAR1");
      const middle = await get({ range: "bytes=4-9" });
      assert.equal(middle.response.headers.get("content-range"), `bytes 4-9/${file.size}`);
      assert.deepEqual(middle.body, bytes.slice(4, 10));
      const beyond = await get({ range: `bytes=${file.size}-` });
      assert.equal(beyond.response.status, 416);
      assert.equal(beyond.response.headers.get("content-range"), `bytes */${file.size}`);
      assert.equal((await get({ "if-none-match": etag })).response.status, 304);
      assert.equal((await get({ range: "bytes=0-3", "if-range": etag })).response.status, 206);
      assert.equal((await get({ range: "bytes=0-3", "if-range": '"x"' })).response.status, 200);

      const open = new URL(file.url);
      open.search = "";
      assert.equal((await get({}, "GET", open.href)).response.status, 401);
      assert.equal((await get(alice.headers, "GET", open.href)).response.status, 200);
      // Whatever its id, another's file is as if it were not there.
      assert.equal((await get(bob.headers, "GET", open.href)).response.status, 404);
      const other = new URL(file.url);
      other.pathname = other.pathname.replace(/\d+\/content$/, `${file.id + 1}/content`);
      assert.equal((await get({}, "GET", other.href)).response.status, 401);
    },
  );

  await t.step("three such bodies are compacted into 12 tables with equal rows", async () => {
    for (const body of [1, 2]) {
      const { bytes, offsets } = await bodyOf(duckdb, folder, body);
      const stored = await call(stack, "POST", "/battle-data/upload", {
        headers: alice.headers,
        body: uploadForm(describe(bytes, { table: "combined", table_offsets: offsets }), bytes),
      });
      assert.equal(stored.status, 200, JSON.stringify(stored.body));
    }
    const asked = await post("/compaction", { datasetId: dataset });
    assert.equal(asked.status, 202);
    const run = await until("the run's end", 40, async () => {
      const { body } = await call(stack, "GET", `/compaction/status/${asked.body.instanceId}`, {
        headers: alice.headers,
      });
      return (body.status === "success" || body.status === "error") && body;
    });
    assert.equal(run.status, "success", JSON.stringify(run));
    const files = await latest(stack, alice, dataset);
    assert.deepEqual(files.map(({ table }) => table).sort(), tables.toSorted());
    assert.ok(files.every(({ level }) => level === 1));
    await assertRows(files, 3);
  });

  await t.step("a slice that is broken Avro is refused with its place", async () => {
    const { bytes, offsets } = await bodyOf(duckdb, folder, 3);
    const at = offsets[5];
    bytes[at.start_byte + at.byte_length - 1] ^= 0xff; // in the last sync marker
    const refused = await call(stack, "POST", "/battle-data/upload", {
      headers: alice.headers,
      body: uploadForm(describe(bytes, { table: "combined", table_offsets: offsets }), bytes),
    });
    assert.equal(refused.status, 422);
    assert.equal(refused.body.code, "invalid_avro");
    assert.equal(refused.body.field, "table_offsets[5]");
  });
}
