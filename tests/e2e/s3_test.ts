/** The whole path with its objects on an S3, over HTTP: outputs that go there in parts, and what a dead worker leaves. */
import { strict as assert } from "node:assert";
import { join } from "node:path";
import { startStack } from "../../supabase/local/stack.ts";
import { createS3Double } from "../storage/s3_double.ts";
import { call, sha256, signUp, until, uploadForm } from "../support/client.ts";
import {
  literal,
  multisetDifference,
  openDuckdb,
  openUrls,
  readParquet,
} from "../support/duckdb.ts";
import { fragmentQuery } from "../support/fragments.ts";

const table = "battles", period = "2024-11-25";

Deno.test("uploads are compacted on an S3, in parts, and DuckDB reads the same rows by signed URLs", async (t) => {
  const double = createS3Double();
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      const body = new Uint8Array(await request.arrayBuffer());
      return await double.fetch(request.url, {
        method: request.method,
        headers: request.headers,
        ...(body.length > 0 && { body }),
      });
    },
  );
  await using stack = await startStack({
    tickSeconds: 0.5,
    env: {
      SEDIMENT_STORE: "s3",
      SEDIMENT_S3_ENDPOINT: `http://127.0.0.1:${server.addr.port}`,
      SEDIMENT_S3_ACCESS_KEY_ID: "id",
      SEDIMENT_S3_SECRET_ACCESS_KEY: "secret",
      SEDIMENT_BUCKET: "b",
      // one output, so that it is larger than a part
      SEDIMENT_TURN_CPU_MS: "20000",
    },
  });
  const folder = await Deno.makeTempDir({ prefix: "sediment-s3-" });
  const duckdb = await openDuckdb();
  try {
    const user = await signUp(stack, "s3@example.com");
    const dataset_id = crypto.randomUUID();
    const sent: string[] = [];

    await t.step("uploads get there", async () => {
      for (let n = 0; n < 6; n++) {
        const path = join(folder, `sent-${n}.parquet`);
        const query = fragmentQuery(n * 20_000, n * 20_000 + 15_000);
        await duckdb.run(`copy (${query}) to ${literal(path)} (format parquet)`);
        sent.push(path);
        const bytes = await Deno.readFile(path);
        const { status, body } = await call(stack, "POST", "/battle-data/upload", {
          headers: user.headers,
          body: uploadForm({
            dataset_id,
            table,
            kc_period_tag: period,
            file_size: String(bytes.length),
            content_hash: sha256(bytes),
          }, bytes),
        });
        assert.equal(status, 200, JSON.stringify(body));
      }
    });

    const files = async () => {
      const query = new URLSearchParams({ dataset_id, signed: "1" });
      const { body } = await call(stack, "GET", `/battle-data/chunks?${query}`, {
        headers: user.headers,
      });
      return body.files as { level: number; url: string }[];
    };
    await t.step("they become one object of several parts", async () => {
      // by hand, so that files of all sizes meet
      const asked = await call(stack, "POST", "/compaction", {
        headers: user.headers,
        json: { datasetId: dataset_id },
      });
      assert.equal(asked.status, 202, JSON.stringify(asked.body));
      await until("one merged file", 60, async () => {
        const levels = (await files()).map(({ level }) => level);
        return levels.length <= 2 && levels.some((level) => level > 0);
      });
      const parts = double.requests.filter(({ query, key }) =>
        query.has("partNumber") && key.startsWith("battle_compacted/")
      );
      assert.ok(parts.length >= 2, `${parts.length} parts were sent`);
      assert.equal(double.uploads.size, 0, "an upload was left");
    });

    await t.step("DuckDB reads the rows that were sent", async () => {
      const read = await openUrls(duckdb, (await files()).map(({ url }) => url), folder);
      assert.deepEqual(
        await multisetDifference(duckdb, readParquet(sent), readParquet(read.paths)),
        { onlyLeft: 0, onlyRight: 0 },
      );
    });

    await t.step("a vacuum gives up what a worker left that died between two parts", async () => {
      const begun = new Date(Date.now() - 48 * 3600 * 1000);
      const left = { type: "t", mark: null, begun, parts: new Map([[1, new Uint8Array(5 << 20)]]) };
      double.uploads.set("dead", { key: "battle_compacted/x/t/0/dead-1-0.parquet", ...left });
      double.uploads.set("alive", { ...left, key: "battle_compacted/y", begun: new Date() });
      double.uploads.set("foreign", { ...left, key: "others/z" });
      const { body } = await call(stack, "POST", "/compactor/vacuum?wait", {
        headers: { apikey: stack.secretKey },
      });
      assert.equal(body.uploads_abandoned, 1, JSON.stringify(body));
      assert.deepEqual([...double.uploads.keys()], ["alive", "foreign"]);
    });
  } finally {
    duckdb.closeSync();
    await Deno.remove(folder, { recursive: true });
  }
});
