import { strict as assert } from "node:assert";
import { createBattleDataApp } from "../../functions/battle-data/app.ts";
import { sha256 } from "../../shared/uploads/digests.ts";
import { alice, httpWorld, send, tokenOf } from "../support/http_world.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";

Deno.test("a URL of the manifest lives as long as the catalog's setting says", async () => {
  const { services, catalog } = httpWorld();
  const app = createBattleDataApp(services);
  const headers = { authorization: `Bearer ${await tokenOf(alice)}` };
  const bytes = tinyParquet([1, 2]);
  const dataset_id = "00000000-0000-4000-8000-0000000000d1";
  const planned = await send(app, "POST", "/battle-data/upload", {
    headers,
    json: { dataset_id, table: "t", file_size: bytes.length, content_hash: sha256(bytes) },
  });
  await send(app, "PUT", planned.body.uploadUrl, { body: bytes });
  // deno-lint-ignore no-explicit-any -- a fake
  const fake = catalog as any;
  const listFiles = fake.listFiles.bind(fake);
  fake.listFiles = async (args: unknown) => ({ ...await listFiles(args), signed_url_seconds: 90 });
  const before = services.now().getTime();
  const { body } = await send(app, "GET", `/battle-data/latest?dataset_id=${dataset_id}`, {
    headers,
  });
  const life = Date.parse(body.files[0].url_expires_at) - before;
  assert.ok(life >= 89_000 && life <= 95_000, `${life} ms`);
  assert.equal(body.signed_url_seconds, undefined);
});
