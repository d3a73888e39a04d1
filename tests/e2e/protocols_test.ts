import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import avro from "avsc";
import type { DuckDBConnection } from "@duckdb/node-api";
import {
  type CatalogWay,
  catalogWays,
  type Stack,
  startStack,
} from "../../supabase/local/stack.ts";
import { call, sha256, signUp, type TestUser, until, uploadForm } from "../support/client.ts";
import { literal, multisetDifference, openDuckdb, readParquet, rows } from "../support/duckdb.ts";
import { openTraces } from "../support/traces.ts";

const tables = Array.from({ length: 12 }, (_, n) => `table_${n}`);

/** Rows of one table in one body: whole numbers, doubles, text that is null at times. */
function rowsQuery(table: number, body: number): string {
  const from = table * 1000 + body * 100;
  return `select i::bigint as id, (i * 0.5)::double as score,
    case when i % 3 = 0 then null else 'note ' || i end as note, i % 2 = 0 as flag
    from range(${from}, ${from + 40 + table}) t(i)`;
}

const avroType = avro.Type.forSchema({
  type: "record",
  name: "Row",
  fields: [
    { name: "id", type: "long" },
    { name: "score", type: "double" },
    { name: "note", type: ["null", "string"] },
    { name: "flag", type: "boolean" },
  ],
});

/** An Object Container File of a query's rows, deflated. */
async function avroOf(duckdb: DuckDBConnection, query: string): Promise<Uint8Array> {
  const found = await rows(duckdb, query);
  const encoder = new avro.streams.BlockEncoder(avroType, { codec: "deflate" });
  const chunks: Uint8Array[] = [];
  const ended = new Promise<void>((resolve) => encoder.on("end", () => resolve()));
  encoder.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  for (const row of found) {
    encoder.write({ ...row, id: Number(row.id) });
  }
  encoder.end();
  await ended;
  return Buffer.concat(chunks);
}

/** A body of all tables: odd ones as Avro, a gap before each third. */
async function bodyOf(duckdb: DuckDBConnection, folder: string, body: number) {
  const parts: Uint8Array[] = [];
  const offsets = [];
  let at = 0;
  const add = (bytes: Uint8Array) => {
    parts.push(bytes);
    at += bytes.length;
  };
  for (const [n, table_name] of tables.entries()) {
    if (n % 3 === 0) add(new Uint8Array(7).fill(0xee));
    const query = rowsQuery(n, body);
    let bytes: Uint8Array;
    if (n % 2 === 1) bytes = await avroOf(duckdb, query);
    else {
      const path = join(folder, `${table_name}-${body}.parquet`);
      await duckdb.run(`copy (${query}) to ${literal(path)} (format parquet)`);
      bytes = await Deno.readFile(path);
    }
    offsets.push({
      table_name,
      start_byte: at,
      byte_length: bytes.length,
      format: n % 2 === 1 ? "avro" : "parquet",
      num_rows: 40 + n,
    });
    add(bytes);
  }
  return { bytes: new Uint8Array(Buffer.concat(parts)), offsets };
}

interface ManifestFile {
  id: number;
  table: string;
  level: number;
  size: number;
  url: string;
}

async function latest(stack: Stack, user: TestUser, dataset: string): Promise<ManifestFile[]> {
  const { status, body } = await call(
    stack,
    "GET",
    `/battle-data/latest?dataset_id=${dataset}&limit=1000`,
    { headers: user.headers },
  );
  assert.equal(status, 200, JSON.stringify(body));
  return body.files;
}

for (const catalog of catalogWays) {
  Deno.test(`the protocols beside the plain ones, over HTTP and ${catalog}`, (t) =>
    protocols(t, catalog));
}

async function protocols(t: Deno.TestContext, catalog: CatalogWay): Promise<void> {
  await using stack = await startStack({
    tickSeconds: 0.5,
    catalog,
    env: { SEDIMENT_MAX_BODY_BYTES: "262144" },
  });
  await using traces = openTraces(stack);
  const folder = await Deno.makeTempDir({ prefix: "sediment-protocols-" });
  const duckdb = await openDuckdb();
  try {
    const alice = await signUp(stack, "alice@example.com");
    const bob = await signUp(stack, "bob@example.com");
    const dataset = crypto.randomUUID();
    const describe = (bytes: Uint8Array, some: Record<string, unknown> = {}) => ({
      dataset_id: dataset,
      table: "battles",
      period_tag: "2024-11-25",
      file_size: String(bytes.length),
      content_hash: sha256(bytes),
      ...some,
    });
    const post = (path: string, json: unknown, user = alice) =>
      call(stack, "POST", path, { headers: user.headers, json });
    const fetchFile = async (url: string) => {
      const response = await fetch(url);
      assert.equal(response.status, 200, url);
      const path = join(folder, `${crypto.randomUUID()}.parquet`);
      await Deno.writeFile(path, await response.bytes());
      return path;
    };
    const assertRows = async (files: ManifestFile[], bodies: number) => {
      for (const [n, table] of tables.entries()) {
        const paths = [];
        for (const file of files.filter((file) => file.table === table)) {
          paths.push(await fetchFile(file.url));
        }
        const wanted = Array.from({ length: bodies }, (_, body) => rowsQuery(n, body));
        const difference = await multisetDifference(
          duckdb,
          `(${wanted.join(" union all ")})`,
          readParquet(paths),
        );
        assert.deepEqual(difference, { onlyLeft: 0, onlyRight: 0 }, table);
      }
    };

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
        // Ids are consecutive: another's file is as if it were not there.
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

    await t.step("POST /compaction/upload stores a fragment and names its run", async () => {
      const path = join(folder, "form.parquet");
      await duckdb.run(`copy (${rowsQuery(0, 9)}) to ${literal(path)} (format parquet)`);
      const form = new FormData();
      form.set("datasetId", dataset);
      form.set("tableId", "by_form");
      form.set("file", new Blob([await Deno.readFile(path)]), "form.parquet");
      const stored = await call(stack, "POST", "/compaction/upload", {
        headers: alice.headers,
        body: form,
      });
      assert.equal(stored.status, 200, JSON.stringify(stored.body));
      assert.equal(stored.body.runs[0].period_tag, "0");
      const status = await call(stack, "GET", `/compaction/status/${stored.body.instanceId}`, {
        headers: alice.headers,
      });
      assert.equal(status.body.table, "by_form");
    });

    await t.step("a large file goes to the store and is checked there", async () => {
      const path = join(folder, "large.parquet");
      await duckdb.run(
        `copy (select i, hash(i) as h, hash(i * 7) as g from range(60000) t(i))
           to ${literal(path)} (format parquet, row_group_size 20000)`,
      );
      const bytes = await Deno.readFile(path);
      assert.ok(bytes.length > 262144);
      const metadata = describe(bytes, { table: "large" });
      const tooLarge = await post("/battle-data/upload", metadata);
      assert.equal(tooLarge.body.code, "body_too_large");
      assert.match(tooLarge.body.expected, /direct=1/);

      const planned = await post("/battle-data/upload?direct=1", metadata);
      assert.equal(planned.status, 200, JSON.stringify(planned.body));
      const complete = (user = alice) =>
        call(stack, "POST", planned.body.completeUrl, { headers: user.headers });
      const early = await complete();
      assert.deepEqual([early.status, early.body.code], [404, "not_found"]);
      const put = await fetch(planned.body.uploadUrl, { method: "PUT", body: bytes });
      assert.equal(put.status, 200, await put.text());
      assert.equal((await complete(bob)).status, 403);
      const stored = await complete();
      assert.equal(stored.status, 200, JSON.stringify(stored.body));
      assert.match(stored.body.key, /^battle_data\//);
      assert.deepEqual((await complete()).body, { ...stored.body, duplicate: true });
      const file = (await latest(stack, alice, dataset)).find(({ table }) => table === "large")!;
      assert.deepEqual(await (await fetch(file.url)).bytes(), bytes);
      // A stage of what is stored needs no bytes.
      const again = await post("/battle-data/upload?direct=1", metadata);
      assert.equal(again.body.duplicate, true);
      const known = await call(stack, "POST", again.body.completeUrl, { headers: alice.headers });
      assert.deepEqual(known.body, { ...stored.body, duplicate: true });
      const [{ open }] = await traces.sql`select count(*)::int as open from public.objects
        where state = 'staged' and kind = 'incoming' and dataset_id = ${dataset}`;
      assert.equal(open, 0);
      // Whoever still has the URL can write nothing that anybody reads.
      await (await fetch(planned.body.uploadUrl, { method: "PUT", body: "other" })).body?.cancel();
      assert.deepEqual(await (await fetch(file.url)).bytes(), bytes);
      // The answer stays when the bytes are merged and gone.
      const object = (method: string, body?: BodyInit) =>
        fetch(`${stack.url}/storage/v1/object/sediment/${stored.body.key}`, {
          method,
          headers: { apikey: stack.secretKey, authorization: `Bearer ${stack.secretKey}` },
          body,
        });
      assert.equal((await object("DELETE")).status, 200);
      assert.deepEqual((await complete()).body, { ...stored.body, duplicate: true });
      assert.equal((await object("POST", bytes)).status, 200);
    });

    await t.step("a direct upload that is not what was said is refused", async () => {
      const good = await Deno.readFile(join(folder, "large.parquet"));
      const cut = good.slice(0, good.length - 1);
      const wrong = good.slice();
      wrong[1000] ^= 1;
      const junk = new Uint8Array(300_000).fill(0x41);
      const cases: [string, Uint8Array, Uint8Array][] = [
        ["size_mismatch", good, cut],
        ["hash_mismatch", good, wrong],
        ["not_parquet", junk, junk],
      ];
      const before = await traces.read();
      for (const [code, said, sent] of cases) {
        const metadata = describe(said, { table: code });
        const planned = await post("/battle-data/upload?direct=1", metadata);
        const put = await fetch(planned.body.uploadUrl, { method: "PUT", body: sent as BodyInit });
        assert.equal(put.status, 200, await put.text());
        const refused = await call(stack, "POST", planned.body.completeUrl, {
          headers: alice.headers,
        });
        assert.deepEqual([refused.status, refused.body.code], [422, code]);
      }
      const { uploads, files, messages } = await traces.read();
      assert.deepEqual([uploads, files], [before.uploads, before.files]);
      assert.ok(messages <= before.messages);
    });

    await t.step(
      "a large asset goes to the store, is compared there, and is all or nothing",
      async () => {
        const bytes = crypto.getRandomValues(new Uint8Array(60_000));
        const big = new Uint8Array(await new Blob(Array(6).fill(bytes)).arrayBuffer());
        const describeAsset = (said: Uint8Array, key: string) => ({
          key,
          file_size: said.length,
          content_hash: sha256(said),
        });
        const said = describeAsset(big, "video/intro.webp");
        const tooLarge = await post("/asset-sync/upload", said);
        assert.deepEqual([tooLarge.status, tooLarge.body.code], [413, "body_too_large"]);
        assert.match(tooLarge.body.expected, /direct=1/);

        const planned = await post("/asset-sync/upload?direct=1", said);
        assert.equal(planned.status, 200, JSON.stringify(planned.body));
        const complete = (url: string, user = alice) =>
          call(stack, "POST", url, { headers: user.headers });
        const url = planned.body.completeUrl;
        assert.deepEqual((await complete(url)).body.code, "not_found");
        const put = await fetch(planned.body.uploadUrl, { method: "PUT", body: big });
        assert.equal(put.status, 200, await put.text());
        assert.equal((await complete(url, bob)).status, 403);
        const stored = await complete(url);
        assert.equal(stored.status, 200, JSON.stringify(stored.body));
        assert.deepEqual([stored.body.key, stored.body.size], ["video/intro.webp", big.length]);
        assert.deepEqual((await complete(url)).body, { ...stored.body, duplicate: true });
        const get = async () =>
          (await call(stack, "GET", "/asset-sync/url?key=video/intro.webp", {
            headers: alice.headers,
          }))
            .body.url;
        assert.deepEqual(await (await fetch(await get())).bytes(), big);
        assert.equal((await post("/asset-sync/upload?direct=1", said)).status, 409);
        // Whoever still has the URL can write nothing that anybody reads.
        await (await fetch(planned.body.uploadUrl, { method: "PUT", body: "other" })).body
          ?.cancel();
        assert.deepEqual(await (await fetch(await get())).bytes(), big);
        // and no other stage ends by this route
        const data = await post("/battle-data/upload?direct=1", describe(big, { table: "t" }));
        const asAsset = data.body.completeUrl.replace("battle-data", "asset-sync");
        assert.equal((await complete(asAsset)).body.code, "stage_expired");

        const other = big.slice();
        other[1000] ^= 1;
        for (
          const [code, sent] of [["size_mismatch", big.slice(1)], ["hash_mismatch", big]] as const
        ) {
          const again = await post("/asset-sync/upload?direct=1", {
            ...describeAsset(other, "video/intro.webp"),
          });
          const put = await fetch(again.body.uploadUrl, { method: "PUT", body: sent });
          assert.equal(put.status, 200, await put.text());
          const refused = await complete(again.body.completeUrl);
          assert.deepEqual([refused.status, refused.body.code], [422, code]);
          assert.equal((await complete(again.body.completeUrl)).body.code, "stage_expired");
        }
        assert.deepEqual(await (await fetch(await get())).bytes(), big);
        const [{ open }] = await traces.sql`select count(*)::int as open from public.objects
        where state = 'staged' and kind = 'incoming' and user_id = ${alice.id} and dataset_id is null`;
        assert.equal(open, 0);
      },
    );

    await t.step("an Idempotency-Key names one upload", async () => {
      const path = join(folder, "keyed.parquet");
      const send = async (n: number) => {
        await duckdb.run(`copy (select ${n} as n) to ${literal(path)} (format parquet)`);
        const bytes = await Deno.readFile(path);
        return await call(stack, "POST", "/battle-data/upload", {
          headers: { ...alice.headers, "idempotency-key": "order-66" },
          body: uploadForm(describe(bytes, { table: "keyed" }), bytes),
        });
      };
      const first = await send(1);
      assert.equal(first.status, 200, JSON.stringify(first.body));
      assert.deepEqual((await send(1)).body, { ...first.body, duplicate: true });
      const other = await send(2);
      assert.deepEqual([other.status, other.body.code], [422, "upload_conflict"]);
    });

    await t.step("racing uploads of the same bytes are one upload", async () => {
      const path = join(folder, "race.parquet");
      await duckdb.run(`copy (${rowsQuery(1, 8)}) to ${literal(path)} (format parquet)`);
      const bytes = await Deno.readFile(path);
      const before = await traces.read();
      const answers = await Promise.all(
        Array.from({ length: 8 }, () =>
          call(stack, "POST", "/battle-data/upload", {
            headers: alice.headers,
            body: uploadForm(describe(bytes, { table: "race" }), bytes),
          })),
      );
      assert.deepEqual(answers.map(({ status }) => status), Array(8).fill(200));
      assert.equal(answers.filter(({ body }) => !body.duplicate).length, 1);
      assert.equal(new Set(answers.map(({ body }) => body.key)).size, 1);
      const after = await traces.read();
      assert.deepEqual([after.uploads - before.uploads, after.files - before.files], [1, 1]);
    });

    await t.step("a service uploads for a user that it names, and only a service", async () => {
      const path = join(folder, "race.parquet");
      const bytes = await Deno.readFile(path);
      const send = (headers: Record<string, string>, some = {}) =>
        call(stack, "POST", "/battle-data/upload", {
          headers,
          body: uploadForm(describe(bytes, { table: "served", ...some }), bytes),
        });
      const byHeader = await send({ apikey: stack.secretKey, "x-sediment-user": alice.id });
      assert.equal(byHeader.status, 200, JSON.stringify(byHeader.body));
      const byField = await send({ apikey: stack.secretKey }, { user_id: alice.id });
      assert.equal(byField.body.duplicate, true);
      assert.equal(
        (await send({ apikey: stack.secretKey, "x-sediment-user": bob.id })).status,
        403,
      );
      assert.equal((await send(alice.headers, { user_id: bob.id })).status, 403);
      assert.equal((await send({ apikey: stack.secretKey, "x-sediment-user": "bob" })).status, 400);
    });

    await t.step("in a table with dedupe keys the last writer of a key wins", async () => {
      await traces
        .sql`insert into public.table_settings (dataset_id, "table", sort_keys, dedupe_keys)
        values (${dataset}, 'latest', '{id desc}', '{id}')`;
      for (const body of [0, 1, 2]) {
        const path = join(folder, `latest-${body}.parquet`);
        await duckdb.run(
          `copy (select i as id, ${body} as writer from range(${body * 5}, ${body * 5 + 10}) t(i))
             to ${literal(path)} (format parquet)`,
        );
        const bytes = await Deno.readFile(path);
        const stored = await call(stack, "POST", "/battle-data/upload", {
          headers: alice.headers,
          body: uploadForm(describe(bytes, { table: "latest" }), bytes),
        });
        assert.equal(stored.status, 200, JSON.stringify(stored.body));
      }
      await post("/compaction", { datasetId: dataset, table: "latest", periodTag: "2024-11-25" });
      const file = await until("one file", 30, async () => {
        const files = (await latest(stack, alice, dataset)).filter(({ table }) =>
          table === "latest"
        );
        return files.length === 1 && files[0];
      });
      const found = await rows(
        duckdb,
        `select id, writer from ${readParquet([await fetchFile(file.url)])}`,
      );
      assert.deepEqual(
        found.map(({ id, writer }) => [Number(id), Number(writer)]),
        Array.from({ length: 20 }, (_, n) => 19 - n).map((
          id,
        ) => [id, Math.min(2, Math.floor(id / 5))]),
      );
    });

    await t.step("limits of a user are 429 with Retry-After", async () => {
      await traces
        .sql`insert into public.user_limits (user_id, uploads_per_minute) values (${bob.id}, 2)`;
      const plan = () =>
        post("/battle-data/upload", describe(new Uint8Array(9), { dataset_id: bob.id }), bob);
      const answers = [await plan(), await plan(), await plan(), await plan()];
      const refused = answers.find(({ status }) => status !== 200)!;
      assert.deepEqual([refused.status, refused.body.code], [429, "rate_limited"]);
      const wait = Number(refused.headers.get("retry-after"));
      assert.ok(wait >= 1 && wait <= 60, String(wait));
      await traces.sql`update public.user_limits set uploads_per_minute = null, stored_bytes_max = 5
        where user_id = ${bob.id}`;
      assert.equal((await plan()).body.code, "quota_exceeded");
    });
  } finally {
    duckdb.closeSync();
    await Deno.remove(folder, { recursive: true });
  }
}
