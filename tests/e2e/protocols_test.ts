import { strict as assert } from "node:assert";
import { join } from "node:path";
import { type CatalogWay, catalogWays } from "../../supabase/local/stack.ts";
import { call, sha256, until, uploadForm } from "../support/client.ts";
import { literal, readParquet, rows } from "../support/duckdb.ts";
import { latest, openProtocols, rowsQuery } from "./protocols_world.ts";

for (const catalog of catalogWays) {
  Deno.test(`the protocols beside the plain ones, over HTTP and ${catalog}`, (t) =>
    protocols(t, catalog));
}

async function protocols(t: Deno.TestContext, catalog: CatalogWay): Promise<void> {
  await using world = await openProtocols(catalog);
  const { stack, traces, folder, duckdb, alice, bob, dataset, describe, post, fetchFile } = world;
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
      ["size_mismatch", good, new Uint8Array([...good, 0])],
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
      const longer = new Uint8Array([...big, 0]);
      const cases = [
        ["size_mismatch", big.slice(1), putAtOnce],
        ["size_mismatch", longer, putAtOnce],
        ["size_mismatch", longer, putResumably],
        ["hash_mismatch", big, putResumably],
        ["hash_mismatch", big, putAtOnce],
      ] as const;
      for (const [code, sent, put] of cases) {
        const again = await post("/asset-sync/upload?direct=1", {
          ...describeAsset(other, "video/intro.webp"),
        });
        await put(again.body.uploadUrl, sent);
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
      const files = (await latest(stack, alice, dataset)).filter(({ table }) => table === "latest");
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
}

async function putAtOnce(uploadUrl: string, body: Uint8Array<ArrayBuffer>): Promise<void> {
  const put = await fetch(uploadUrl, { method: "PUT", body });
  assert.equal(put.status, 200, await put.text());
}

/** As TUS 1.0 with the signed URL's token: its own length is declared to the store, not to the service. */
async function putResumably(uploadUrl: string, body: Uint8Array<ArrayBuffer>): Promise<void> {
  const { origin, pathname, searchParams } = new URL(uploadUrl);
  const [root, path] = pathname.split("/object/upload/sign/");
  const [bucketName, ...key] = path.split("/").map(decodeURIComponent);
  const metadata = {
    bucketName,
    objectName: key.join("/"),
    contentType: "application/octet-stream",
  };
  const headers = { "tus-resumable": "1.0.0", "x-signature": searchParams.get("token")! };
  const begun = await fetch(`${origin}${root}/upload/resumable/sign`, {
    method: "POST",
    headers: {
      ...headers,
      "upload-length": String(body.length),
      "upload-metadata": Object.entries(metadata).map(([name, value]) => `${name} ${btoa(value)}`)
        .join(","),
    },
  });
  assert.equal(begun.status, 201, await begun.text());
  const sent = await fetch(new URL(begun.headers.get("location")!, origin), {
    method: "PATCH",
    headers: {
      ...headers,
      "upload-offset": "0",
      "content-type": "application/offset+octet-stream",
    },
    body,
  });
  assert.equal(sent.status, 204, await sent.text());
}
