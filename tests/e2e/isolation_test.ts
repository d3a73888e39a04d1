import { strict as assert } from "node:assert";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { startStack } from "../../supabase/local/stack.ts";
import { call, sha256, signUp, uploadForm } from "../support/client.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";
import { openTraces } from "../support/traces.ts";

Deno.test("nobody reads or writes what is not theirs, by functions, PostgREST or Storage", async (t) => {
  await using stack = await startStack({ cron: false });
  await using traces = openTraces(stack);
  const alice = await signUp(stack, "alice@example.com");
  const bob = await signUp(stack, "bob@example.com");
  const anon = createClient(stack.url, stack.publishableKey, { auth: { persistSession: false } });
  const dataset = crypto.randomUUID();
  const file = tinyParquet([1, 2, 3]);
  const metadata = {
    dataset_id: dataset,
    table: "t",
    content_hash: sha256(file),
    file_size: file.length,
  };
  const stored = await call(stack, "POST", "/battle-data/upload", {
    headers: alice.headers,
    body: uploadForm(metadata, file),
  });
  assert.equal(stored.status, 200, JSON.stringify(stored.body));
  const asset = new TextEncoder().encode("a picture");
  const planned = await call(stack, "POST", "/asset-sync/upload", {
    headers: alice.headers,
    json: { key: "a/b.png", file_size: asset.length, content_hash: sha256(asset) },
  });
  assert.equal(planned.status, 200, JSON.stringify(planned.body));
  const put = await call(stack, "PUT", planned.body.uploadUrl, { body: asset as BodyInit });
  assert.equal(put.status, 200, JSON.stringify(put.body));
  const listed = await call(stack, "GET", `/battle-data/latest?dataset_id=${dataset}`, {
    headers: alice.headers,
  });
  const uploadId = /([^/]+)\.\w+$/.exec(stored.body.key)![1];
  // a key of alice's dataset, in the hands of somebody
  const made = await call(stack, "POST", `/battle-data/datasets/${dataset}/keys`, {
    headers: alice.headers,
    json: {},
  });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const session = await call(stack, "POST", "/battle-data/keys/session", {
    json: { secret: made.body.secret },
  });
  assert.equal(session.status, 200, JSON.stringify(session.body));
  const holder = createClient(stack.url, stack.publishableKey, {
    accessToken: () => Promise.resolve(session.body.access_token),
  });
  const before = await traces.read();

  await t.step("functions: another user, nobody, a publishable key", async () => {
    const routes: [string, string, unknown?][] = [
      ["GET", `/battle-data/chunks?dataset_id=${dataset}`],
      ["GET", `/battle-data/latest?dataset_id=${dataset}`],
      ["GET", `/battle-data/files/${listed.body.files[0].id}/content`],
      ["POST", "/battle-data/upload", metadata],
      ["POST", "/battle-data/upload?direct=1", metadata],
      ["POST", "/compaction", { datasetId: dataset }],
      ["POST", "/compaction", { datasetId: dataset, table: "t", periodTag: "0" }],
      ["POST", "/compaction/sanitize-state", { datasetId: dataset }],
      ["GET", `/compaction/status/${stored.body.metricId}`],
      ["GET", `/compaction/runs/${stored.body.metricId}`],
      ["GET", `/compaction/partitions?dataset_id=${dataset}`],
      ["GET", `/compaction/rewrite?dataset_id=${dataset}`],
      ["POST", "/compaction/rewrite", { dataset_id: dataset, table: "t" }],
      ["POST", "/compaction/quarantine/retry", { dataset_id: dataset }],
      ["GET", `/battle-data/tables?dataset_id=${dataset}`],
      ["DELETE", `/battle-data/datasets/${dataset}`],
      ["DELETE", `/battle-data/datasets/${dataset}/tables/t`],
      ["DELETE", `/battle-data/datasets/${dataset}/periods/0`],
      ["DELETE", `/battle-data/uploads/${uploadId}`],
      ["DELETE", `/battle-data/users/${alice.id}`],
      ["GET", `/battle-data/datasets/${dataset}/members`],
      ["DELETE", `/battle-data/datasets/${dataset}/members/${alice.id}`],
      ["POST", `/battle-data/datasets/${dataset}/invitations`, { role: "writer" }],
      ["POST", `/battle-data/datasets/${dataset}/tables/t/rename`, { name: "u" }],
      ["GET", `/battle-data/datasets/${dataset}/keys`],
      ["POST", `/battle-data/datasets/${dataset}/keys`, {}],
      ["DELETE", `/battle-data/datasets/${dataset}/keys/${made.body.key_id}`],
      ["GET", "/compaction/settings"],
      ["PATCH", "/compaction/settings", { changes: { max_workers: 1 } }],
      ["POST", "/compaction/trigger-scheduled", {}],
      ["POST", "/compactor", {}],
      ["POST", "/compactor/vacuum", {}],
      ["POST", "/dead-letter", {}],
    ];
    for (const [method, path, json] of routes) {
      const who: [string, Record<string, string>][] = [
        ["bob", bob.headers],
        ["nobody", {}],
        ["a publishable key", { apikey: stack.publishableKey }],
      ];
      for (const [name, headers] of who) {
        const answer = await call(stack, method, path, { headers, json });
        const text = JSON.stringify(answer.body);
        assert.ok([401, 403, 404].includes(answer.status), `${name} ${method} ${path}: ${text}`);
        assert.ok(!text.includes(alice.id) && !text.includes("battle_data/"), text);
      }
    }
    const keys = await call(stack, "GET", "/asset-sync/keys", { headers: bob.headers });
    assert.deepEqual(keys.body.keys, []);
    const url = await call(stack, "GET", "/asset-sync/url?key=a/b.png", { headers: bob.headers });
    assert.equal(url.body.code, "not_found");
    const letters = await call(stack, "GET", "/compaction/dlq-status", { headers: bob.headers });
    assert.deepEqual(letters.body.letters, []);
  });

  /** Each table with a column that is never null. */
  const tables = {
    datasets: "id",
    partitions: "dataset_id",
    uploads: "id",
    battle_files: "state",
    objects: "object_key",
    dataset_versions: "dataset_id",
    processing_metrics: "id",
    assets: "key",
    table_settings: "dataset_id",
    user_limits: "user_id",
    dead_letters: "queue",
    alerts: "class",
    service_settings: "id",
    idempotency_keys: "key",
    file_schemas: "digest",
    run_children: "parent_id",
    run_commits: "run_id",
    user_usage: "user_id",
    user_growth: "user_id",
    circuit_breaker: "id",
    clockwork: "id",
    worker_slots: "slot",
    deletions: "id",
    forgotten_uploads: "id",
    identity_key: "id",
    age_walks: "dataset_id",
    ended_rows: "rule",
    dataset_members: "role",
    dataset_invitations: "id",
    dataset_keys: "id",
    deleted_slices: "dataset_id",
    incidents: "name",
    pings: "path",
    settings_history: "settings",
    metric_deltas: "metric",
    metric_samples: "at",
    metric_totals: "metric",
    rewrites: "dataset_id",
    store_check: "id",
    store_findings: "object_key",
    table_names: "name",
    lake_tables: "name",
    lake_snapshots: "id",
    lake_pending: "change",
    lake_relations: "name",
    lake_shapes: "dataset_id",
    lake_columns: "relation_id",
    lake_schemas: "relation_id",
    lake_mapping_fields: "mapping_id",
    lake_files: "id",
    lake_statistics: "file_id",
    lake_left_files: "battle_file",
    lake_left_columns: "relation_id",
    lake_heads: "relation_id",
    lake_manifests: "object_key",
    lake_manifest_lists: "object_key",
  };
  const views = [
    ...["dataset_status", "partition_status", "quarantined_files", "dead_letter_summary"],
    "queue_status",
    "row_limit_probe",
    "setting_warnings",
    "store_differences",
    "lake_left_out",
  ];
  const others: [string, SupabaseClient][] = [["bob", bob.client], ["anon", anon]];
  const readers = [["alice", alice.client], ["a key", holder]] as const;

  await t.step(
    "PostgREST: no row of another's is read, no row of anybody's is written",
    async () => {
      const there = await traces.sql`select relname from pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm')`;
      const named = [...Object.keys(tables), ...views];
      assert.deepEqual(there.map(({ relname }) => relname).sort(), named.sort());
      for (const relation of named) {
        for (const [name, client] of others) {
          const { data } = await client.from(relation).select();
          assert.deepEqual(data ?? [], [], `${name} reads ${relation}`);
        }
      }
      for (const [table, column] of Object.entries(tables)) {
        for (const [name, client] of [...others, ...readers]) {
          const tries = {
            inserts: await client.from(table).insert({ [column]: null }),
            updates: await client.from(table).update({ [column]: null }).not(column, "is", null),
            deletes: await client.from(table).delete().not(column, "is", null),
          };
          for (const [what, { error }] of Object.entries(tries)) {
            assert.equal(error?.code, "42501", `${name} ${what} ${table}: ${error?.message}`);
          }
        }
      }
      const own = await alice.client.from("datasets").select("id");
      assert.deepEqual(own.data, [{ id: dataset }], "alice can't read her own dataset");
      const read = await holder.from("datasets").select("id");
      assert.deepEqual(read.data, [{ id: dataset }], "a key can't read its dataset");
      assert.deepEqual((await holder.from("assets").select()).data, [], "a key reads assets");
    },
  );

  await t.step("PostgREST: the catalog's functions are for the service only", async () => {
    const calls: [string, Record<string, unknown>][] = [
      ["list_files", { p_user: alice.id, p_dataset: dataset }],
      ["claim_compaction", { p_worker: "bob" }],
      ["tick", {}],
      ["plan_vacuum", {}],
      ["drain_dead_letters", {}],
      ["get_asset", { p_user: alice.id, p_key: "a/b.png" }],
    ];
    for (const [name, args] of calls) {
      for (const [who, client] of [...others, ...readers]) {
        const { error } = await client.rpc(name, args);
        assert.equal(error?.code, "42501", `${who} calls ${name}: ${error?.message}`);
      }
    }
  });

  await t.step(
    "Storage: objects are read by who may read the dataset, and that is all",
    async () => {
      const key = stored.body.key;
      const folder = key.slice(0, key.lastIndexOf("/"));
      const image = (await traces.sql`select object_key from public.assets`)[0]!.object_key;
      for (const [who, client] of [...others, ...readers]) {
        const bucket = client.storage.from("sediment");
        const mayRead = readers.some(([name]) => name === who);
        const { data, error } = await bucket.download(key);
        assert.equal(error === null, mayRead, `${who} downloads`);
        if (mayRead) assert.deepEqual(new Uint8Array(await data!.arrayBuffer()), file);
        const listed = (await bucket.list(folder)).data ?? [];
        assert.equal(listed.length, mayRead ? 1 : 0, `${who} lists`);
        assert.ok((await bucket.download(image)).error, `${who} downloads an asset`);
        assert.deepEqual((await bucket.list("assets")).data ?? [], [], `${who} lists assets`);
        assert.ok((await bucket.copy(key, `battle_data/${who}.parquet`)).error, `${who} copies`);
        assert.ok((await bucket.move(key, `battle_data/${who}.parquet`)).error, `${who} moves`);
        assert.ok(
          (await bucket.createSignedUrls([key], 60)).data?.every(({ error }) => error) ?? true,
        );
        assert.ok((await bucket.createSignedUrl(key, 60)).error, `${who} signs`);
        assert.ok((await bucket.upload(key, file, { upsert: true })).error, `${who} overwrites`);
        assert.ok((await bucket.upload(`incoming/${who}.parquet`, file)).error, `${who} writes`);
        const removed = await bucket.remove([key]);
        assert.ok(removed.error || removed.data.length === 0, `${who} deletes`);
      }
      const open = await fetch(`${stack.url}/storage/v1/object/public/sediment/${key}`);
      assert.notEqual(open.status, 200);
      await open.body?.cancel();
    },
  );

  assert.deepEqual(await traces.read(), before);
});

Deno.test("assets: stored, replaced at once, found by hash, and refused when they would leave their folder", async (t) => {
  await using stack = await startStack({ cron: false });
  await using traces = openTraces(stack);
  const alice = await signUp(stack, "alice@example.com");
  const text = (words: string) => new TextEncoder().encode(words);
  const plan = (key: string, bytes: Uint8Array, some: Record<string, unknown> = {}) =>
    call(stack, "POST", "/asset-sync/upload", {
      headers: alice.headers,
      json: { key, file_size: bytes.length, content_hash: sha256(bytes), ...some },
    });
  const store = async (key: string, bytes: Uint8Array, some = {}) => {
    const planned = await plan(key, bytes, some);
    assert.equal(planned.status, 200, JSON.stringify(planned.body));
    const put = await call(stack, "PUT", planned.body.uploadUrl, { body: bytes as BodyInit });
    assert.equal(put.status, 200, JSON.stringify(put.body));
    return { planned: planned.body, stored: put.body };
  };
  const get = (path: string) =>
    call(stack, "GET", `/asset-sync${path}`, { headers: alice.headers });

  await t.step("a new key", async () => {
    const { stored } = await store("maps/Ölberg 1.png", text("one"), {
      relative_path: "resources/maps/Ölberg 1.png",
      file_name: "Ölberg 1.png",
    });
    assert.equal(stored.ok, true);
    assert.equal(stored.replaced, false);
    assert.deepEqual((await get("/keys")).body.keys, ["maps/Ölberg 1.png"]);
  });

  await t.step("the same bytes again are 409, and nothing else is", async () => {
    const again = await plan("maps/Ölberg 1.png", text("one"));
    assert.deepEqual([again.status, again.body.code], [409, "already_stored"]);
  });

  await t.step("other bytes replace it, and an old URL still reads the old ones", async () => {
    const query = `?key=${encodeURIComponent("maps/Ölberg 1.png")}`;
    const old = (await get(`/url${query}`)).body.url;
    const { planned, stored } = await store("maps/Ölberg 1.png", text("two!"));
    assert.deepEqual([planned.replaces, stored.replaced], [true, true]);
    assert.equal(await (await fetch((await get(`/url${query}`)).body.url)).text(), "two!");
    assert.equal(await (await fetch(old)).text(), "one");
    const same = await get(`/check-hash${query}&content_hash=${sha256(text("two!"))}`);
    assert.deepEqual([same.body.exists, same.body.matches], [true, true]);
    const other = await get(`/check-hash${query}&content_hash=${sha256(text("one"))}`);
    assert.deepEqual([other.body.exists, other.body.matches], [true, false]);
    const none = await get(`/check-hash?key=none.png&content_hash=${sha256(text("one"))}`);
    assert.deepEqual([none.body.exists, none.body.matches], [false, false]);
  });

  await t.step("a lost answer is asked again, other bytes are refused", async () => {
    const planned = await plan("b.txt", text("bee"));
    const put = (bytes: Uint8Array) =>
      call(stack, "PUT", planned.body.uploadUrl, { body: bytes as BodyInit });
    const first = await put(text("bee"));
    assert.equal(first.status, 200, JSON.stringify(first.body));
    assert.deepEqual((await put(text("bee"))).body, { ...first.body, duplicate: true });
    assert.equal((await put(text("eeb"))).body.code, "hash_mismatch");
    assert.equal((await put(text("be"))).body.code, "size_mismatch");
  });

  await t.step("pages of keys", async () => {
    const first = await get("/keys?limit=1");
    assert.deepEqual(first.body.keys, ["b.txt"]);
    const rest = await get(`/keys?limit=1&cursor=${first.body.next_cursor}`);
    assert.deepEqual(rest.body.keys, ["maps/Ölberg 1.png"]);
    assert.equal(rest.body.next_cursor, null);
    assert.deepEqual((await get("/keys?prefix=maps/")).body.keys.length, 1);
  });

  await t.step("names that would leave their folder or hide in it", async () => {
    const before = await traces.read();
    const names = [
      "../a.png",
      "a/../../b.png",
      "/a.png",
      "a//b.png",
      "./a.png",
      "a/. /b.png",
      "a\\..\\b.png",
      "．．／a.png",
      "a／..／b.png",
      "a\u0000.png",
      "a\n.png",
      "a\u202egnp.exe.png",
      "a\u200b.png",
      "a\ud800.png",
      "e\u0301.png",
      "",
      "x".repeat(1025) + ".png",
    ];
    for (const name of names) {
      for (
        const some of [{}, { key: "ok.png", relative_path: name }, {
          key: "ok.png",
          file_name: name,
        }]
      ) {
        const refused = await plan(name, text("x"), some);
        const shown = JSON.stringify([name, some, refused.body]);
        assert.deepEqual([refused.status, refused.body.code], [400, "invalid_name"], shown);
      }
    }
    for (const name of ["a.exe", "a", "a.png.sh"]) {
      assert.equal((await plan(name, text("x"))).body.code, "invalid_name", name);
    }
    assert.equal((await plan("a.png", text("x"), { file_size: 2 ** 40 })).status, 413);
    assert.deepEqual(await traces.read(), before);
  });
});
