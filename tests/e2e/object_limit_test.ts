/** What the bucket takes as one object is known before it refuses one. */
import { strict as assert } from "node:assert";
import postgres from "postgres";
import { parquetWriteBuffer } from "hyparquet-writer";
import { startStack } from "../../supabase/local/stack.ts";
import { call, sha256, signUp, until, uploadForm } from "../support/client.ts";

const MiB = 1024 * 1024;

/** Numbers that do not compress: half a megabyte. */
function halfMegabyte(): Uint8Array {
  const data = Array.from({ length: 65_536 }, () => Math.random());
  return new Uint8Array(
    parquetWriteBuffer({
      columnData: [{ name: "n", data, type: "DOUBLE" }],
      codec: "UNCOMPRESSED",
    }),
  );
}

Deno.test("uploads and outputs keep to the bucket's own limit", async (t) => {
  await using stack = await startStack({ cron: false });
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  try {
    await sql`update storage.buckets set file_size_limit = ${2 * MiB} where id = 'sediment'`;
    const user = await signUp(stack, "limit@example.com");
    const dataset_id = crypto.randomUUID();
    const place = { dataset_id, table: "t", period_tag: "p" };

    await t.step("what is larger is refused when it is planned", async () => {
      for (const query of ["", "?direct=1"]) {
        const planned = await call(stack, "POST", `/battle-data/upload${query}`, {
          headers: user.headers,
          json: { ...place, file_size: 2 * MiB + 1, content_hash: sha256(new Uint8Array(1)) },
        });
        assert.deepEqual([planned.status, planned.body.code], [413, "body_too_large"]);
        assert.equal(planned.body.max_bytes, 2 * MiB);
      }
      const asset = await call(stack, "POST", "/asset-sync/upload?direct=1", {
        headers: user.headers,
        json: {
          key: "a.png",
          relative_path: "a.png",
          file_name: "a.png",
          file_size: 2 * MiB + 1,
          content_hash: sha256(new Uint8Array(1)),
        },
      });
      assert.deepEqual([asset.status, asset.body.code], [413, "body_too_large"]);
      assert.equal(asset.body.max_bytes, 2 * MiB);
    });

    await t.step("outputs are planned below it, so that none is refused", async () => {
      for (let n = 0; n < 9; n++) {
        const { status, body } = await call(stack, "POST", "/battle-data/upload", {
          headers: user.headers,
          body: uploadForm(place, halfMegabyte()),
        });
        assert.equal(status, 200, JSON.stringify(body));
      }
      const run = await call(stack, "POST", "/compaction", {
        headers: user.headers,
        json: { dataset_id, table: "t", period_tag: "p" },
      });
      await call(stack, "POST", "/compactor?wait", { headers: { apikey: stack.secretKey } });
      const done = await until("the run is over", 60, async () => {
        const { body } = await call(stack, "GET", `/compaction/status/${run.body.run_id}`, {
          headers: user.headers,
        });
        return ["success", "error"].includes(body.status) && body;
      });
      assert.equal(done.status, "success", JSON.stringify(done));
      const [{ narrowed }] = await sql`
        select count(*)::int as narrowed from partitions where output_cap_bytes is not null`;
      assert.equal(narrowed, 0, "the store has refused none");
      const files = await sql`
        select level, byte_length::int as bytes from battle_files where removed_version is null`;
      const merged = files.filter(({ level }) => level > 0);
      assert.ok(merged.length > 1, JSON.stringify(files));
      assert.ok(merged.every(({ bytes }) => bytes <= 2 * MiB), JSON.stringify(files));
    });
  } finally {
    await sql.end();
  }
});
