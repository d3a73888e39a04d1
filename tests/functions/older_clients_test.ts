import { strict as assert } from "node:assert";
import { createAssetSyncApp } from "../../functions/asset-sync/app.ts";
import { createBattleDataApp } from "../../functions/battle-data/app.ts";
import { createCompactionApp } from "../../functions/compaction/app.ts";
import { uuidOfDigest } from "../../shared/protocol/names.ts";
import { sha256 } from "../../shared/uploads/digests.ts";
import { alice, httpWorld, secretKey, send, tokenOf } from "../support/http_world.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";

const digest = "F0a".repeat(21) + "1";
const bearer = async () => ({ authorization: `Bearer ${await tokenOf(alice)}` });

Deno.test("a client that takes the token from step 1's answer stores 12 of 12 bodies in a dataset named by a SHA-256", async () => {
  const { services, lines } = httpWorld();
  const app = createBattleDataApp(services);
  for (let n = 0; n < 12; n++) {
    const bytes = tinyParquet([n, n + 1]);
    const planned = await send(app, "POST", "/battle-data/upload", {
      headers: await bearer(),
      json: {
        datasetId: digest,
        tableId: `table_${n}`,
        kc_period_tag: "2025-12-01",
        file_size: String(bytes.length),
        content_hash: sha256(bytes),
      },
    });
    assert.equal(planned.status, 200, JSON.stringify(planned.body));
    const [address] = planned.body.uploadUrl.split("?");
    assert.equal((await send(app, "PUT", address, { body: bytes })).status, 401);
    const stored = await send(app, "PUT", address, {
      headers: { "x-upload-token": planned.body.token },
      body: bytes,
    });
    assert.equal(stored.status, 200, JSON.stringify(stored.body));
    assert.equal(stored.body.dataset_id, "f0af0af0-af0a-80af-8af0-af0af0af0af0");
  }
  assert.deepEqual(
    lines.map(({ event }) => event),
    Array(12).fill(["upload_staged", "upload_committed"]).flat(),
  );
  assert.ok(!JSON.stringify(lines).includes("token"), "nothing secret is in the log");
});

Deno.test("the UUID of a digest has version 8 and the variant of RFC 9562, whatever stood in their place", () => {
  for (let n = 0; n < 16; n++) {
    const uuid = uuidOfDigest(n.toString(16).repeat(64));
    assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
});

Deno.test("an asset of Windows has its relative path with slashes, and never leaves its folder", async () => {
  const { services, catalog } = httpWorld();
  const app = createAssetSyncApp(services);
  // deno-lint-ignore no-explicit-any -- whatever it was given
  let asked: any;
  // deno-lint-ignore no-explicit-any -- a fake
  (catalog as any).stageAsset = (args: unknown) => {
    asked = args;
    return Promise.resolve({
      stage_id: crypto.randomUUID(),
      object_key: "assets/x",
      replaces: false,
    });
  };
  const plan = async (relative_path: string) =>
    await send(app, "POST", "/asset-sync/upload", {
      headers: await bearer(),
      json: { key: "kcs2/img/a.png", relative_path, file_size: 3, content_hash: "ab".repeat(32) },
    });
  const planned = await plan("kcs2\\img\\a.png");
  assert.equal(planned.status, 200, JSON.stringify(planned.body));
  assert.ok(planned.body.uploadUrl.endsWith(`?token=${planned.body.token}`));
  assert.ok(JSON.stringify(asked).includes('"kcs2/img/a.png"'));
  for (const path of ["..\\a.png", "C:\\a.png", "a\\\\b.png", "\\\\server\\a.png"]) {
    assert.equal((await plan(path)).status, 400, path);
  }
});

Deno.test("who asks for keys without a limit gets 12,000 in one answer, and 20,000 with a cursor for the rest", async () => {
  const { services, catalog } = httpWorld();
  const app = createAssetSyncApp(services);
  let there = 12_000;
  // deno-lint-ignore no-explicit-any -- a fake
  (catalog as any).listAssets = ({ limit, cursor }: { limit: number; cursor: string | null }) => {
    const from = Number(cursor ?? 0), to = Math.min(from + limit, there);
    const assets = Array.from({ length: to - from }, (_, n) => ({ key: `k${from + n}` }));
    return Promise.resolve({ assets, next_cursor: to < there ? String(to) : null });
  };
  const list = async (query = "") =>
    (await send(app, "GET", `/asset-sync/keys${query}`, { headers: await bearer() })).body;
  const all = await list();
  assert.deepEqual([all.keys.length, new Set(all.keys).size, all.next_cursor], [
    12_000,
    12_000,
    null,
  ]);
  assert.equal((await list("?limit=1000")).keys.length, 1000);
  there = 30_000;
  const most = await list();
  assert.deepEqual([most.keys.length, most.next_cursor], [20_000, "20000"]);
  assert.equal((await list("?cursor=20000")).keys.length, 10_000);
});

Deno.test("the nightly trigger's answer has the documents' fields", async () => {
  const { services } = httpWorld();
  // deno-lint-ignore no-explicit-any -- a fake
  (services.catalog as any).triggerScheduled = () =>
    Promise.resolve({ datasets: [], partitions: 3, more: false });
  const app = createCompactionApp(services);
  const { status, body } = await send(app, "POST", "/compaction/trigger-scheduled", {
    headers: { apikey: secretKey },
  });
  assert.deepEqual([status, body.success, body.enqueued, body.status], [202, true, 3, "accepted"]);
});

Deno.test("a file sent by the documents' form is answered with its table, name and size", async () => {
  const { services } = httpWorld();
  const app = createCompactionApp(services);
  const bytes = tinyParquet([1, 2, 3]);
  const form = new FormData();
  form.set("datasetId", digest);
  form.set("tableId", "battles");
  form.set("file", new Blob([bytes]), "part.parquet");
  const { status, body } = await send(app, "POST", "/compaction/upload", {
    headers: await bearer(),
    body: form,
  });
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual([body.success, body.tableId, body.fileSize], [true, "battles", bytes.length]);
  assert.ok(body.key.endsWith(`/${body.fileName}`));
});
