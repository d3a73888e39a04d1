/** Tables whose settings have changed, written anew by a stack's own workers. */
import { strict as assert } from "node:assert";
import { join } from "node:path";
import postgres from "postgres";
import { startStack } from "../../supabase/local/stack.ts";
import { call, signUp, until, uploadForm } from "../support/client.ts";
import { literal, openDuckdb, rows, scalar } from "../support/duckdb.ts";

interface File {
  level: number;
  url: string;
  row_count: number;
  period_tag: string;
}

Deno.test("files of other codecs and orders are written by the table's settings when its owner asks, and not before", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sediment-rewrite-" });
  await using stack = await startStack({
    tickSeconds: 0.3,
    cronSeconds: { sediment_rewrites: 0.3 },
  });
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  const duckdb = await openDuckdb(1);
  try {
    const user = await signUp(stack, "rewrite@example.com");
    const dataset = crypto.randomUUID();
    // row groups over 2 MiB: merges copy such as they are
    const sent = join(folder, "sent.parquet");
    await duckdb.run(
      `copy (select n::bigint as id, hash(n) as noise, hash(n + 1) as more from range(250000) t(n))
       to ${literal(sent)} (format parquet, compression snappy, row_group_size 122880)`,
    );
    const bytes = await Deno.readFile(sent);
    for (const period of ["2024-11-25", "2024-11-26"]) {
      const answer = await call(stack, "POST", "/battle-data/upload", {
        headers: user.headers,
        body: uploadForm({ dataset_id: dataset, table: "battles", period_tag: period }, bytes),
      });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
    }
    const ask = async (json: Record<string, unknown>) =>
      await call(stack, "POST", "/compaction/rewrite", {
        headers: user.headers,
        json: { dataset_id: dataset, table: "battles", ...json },
      });
    const progress = async () => {
      const { body } = await call(stack, "GET", `/compaction/rewrite?dataset_id=${dataset}`, {
        headers: user.headers,
      });
      return body.rewrites[0];
    };
    const written = async () => {
      await until("the rewrite's end", 60, async () => {
        const { ended_at, waiting } = await progress();
        return ended_at !== null && waiting === 0;
      });
      const { body } = await call(stack, "GET", `/battle-data/latest?dataset_id=${dataset}`, {
        headers: user.headers,
      });
      const paths = new Map<string, string>();
      for (const { url, period_tag, row_count } of body.files as File[]) {
        assert.equal(row_count, 250_000);
        const path = join(folder, `${period_tag}-${paths.size}.parquet`);
        const response = await fetch(url);
        await Deno.writeFile(path, new Uint8Array(await response.arrayBuffer()));
        paths.set(period_tag, path);
      }
      return paths;
    };
    const codecOf = async (path: string) =>
      (await rows(
        duckdb,
        `select distinct compression from parquet_metadata(${literal(path)})
         where path_in_schema = 'id'`,
      )).map(({ compression }) => compression);
    const sameRows = async (path: string) =>
      await scalar(
        duckdb,
        `select count(*) from (select * from ${literal(sent)} except all select * from ${
          literal(path)
        })`,
      ) === 0;
    await sql`update service_settings set max_age_seconds = 0, codec = 'zstd'`;

    // one period, by its codec
    const asked = await ask({ period_tag: "2024-11-25" });
    assert.equal(asked.status, 202, JSON.stringify(asked.body));
    const recoded = await written();
    assert.deepEqual(await codecOf(recoded.get("2024-11-25")!), ["ZSTD"]);
    assert.deepEqual(await codecOf(recoded.get("2024-11-26")!), ["SNAPPY"]);
    assert.ok(await sameRows(recoded.get("2024-11-25")!));

    // both, by their order
    await sql`insert into table_settings (dataset_id, "table", sort_keys)
      values (${dataset}, 'battles', '{id desc}')`;
    assert.equal((await ask({})).status, 202);
    const sorted = await written();
    for (const path of sorted.values()) {
      const falls = await scalar(
        duckdb,
        `select count(*) from (select id > lag(id) over (order by file_row_number) as rises
         from read_parquet(${literal(path)}, file_row_number = true)) where rises`,
      );
      assert.equal(falls, 0);
      assert.ok(await sameRows(path));
    }
    const { files, left_alone } = await progress();
    assert.deepEqual([files, left_alone], [2, 0]);

    // another user knows nothing of it
    const stranger = await signUp(stack, "stranger@example.com");
    const refused = await call(stack, "POST", "/compaction/rewrite", {
      headers: stranger.headers,
      json: { dataset_id: dataset, table: "battles" },
    });
    assert.equal(refused.body.code, "dataset_forbidden");
  } finally {
    duckdb.closeSync();
    await sql.end();
    await Deno.remove(folder, { recursive: true });
  }
});
