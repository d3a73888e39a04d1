/** A table of the lake on a stack: slices, outputs of before and files that can't be in it, and the table beside it. */
import { strict as assert } from "node:assert";
import { join } from "node:path";
import postgres from "postgres";
import { startStack } from "../../supabase/local/stack.ts";
import { writeWithDuckDb } from "../parquet/sample_files.ts";
import { call, signUp, until, uploadForm } from "../support/client.ts";
import { literal, openDuckdb, rows } from "../support/duckdb.ts";

Deno.test("every upload of an approved table becomes a file that says of each row whose it is, and no other table's does", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sediment-lake-" });
  await using stack = await startStack({
    tickSeconds: 0.3,
    cronSeconds: { sediment_rewrites: 0.3, sediment_sweep: 0.5 },
  });
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  const duckdb = await openDuckdb(1);
  try {
    const user = await signUp(stack, "lake@example.com");
    const dataset = crypto.randomUUID();
    const send = async (
      table: string,
      period: string,
      bytes: Uint8Array<ArrayBuffer>,
      more: Record<string, unknown> = {},
    ) => {
      const { status, body } = await call(stack, "POST", "/battle-data/upload", {
        headers: user.headers,
        body: uploadForm({ dataset_id: dataset, table, period_tag: period, ...more }, bytes),
      });
      assert.equal(status, 200, JSON.stringify(body));
    };
    const some = (from: number, count: number, more = "") =>
      writeWithDuckDb(`select i::int as id${more} from range(${from}, ${from + count}) t(i)`);

    for (let n = 0; n < 4; n++) await send("battles", "2024-11-24", await some(10 * n, 10));
    await until(
      "a merge before the approval",
      60,
      async () => (await sql`select 1 from public.battle_files where level = 1`).length > 0,
    );
    await sql`update public.service_settings set max_age_seconds = 1 where id`;
    await sql`select public.approve_lake_table('battles'), public.approve_lake_table('quests')`;
    const parts = [
      await some(100, 50),
      await some(0, 20, ", 'mine' as Period_Tag"),
      await some(0, 5),
    ];
    const names = ["battles", "quests", "ships"];
    let start = 0;
    const offsets = parts.map((part, n) => {
      const slice = {
        table_name: names[n],
        start_byte: start,
        byte_length: part.length,
        format: "parquet",
      };
      start += part.length;
      return slice;
    });
    const body = new Uint8Array(await new Blob(parts).arrayBuffer());
    await send("battles", "007", body, { table_offsets: JSON.stringify(offsets) });

    await until(
      "all of them settled",
      90,
      async () =>
        (await sql`
          select 1 from public.battle_files
          where removed_version is null and lake_version is null and "table" <> 'ships'`).length ===
          0,
    );
    const files = await sql`
      select "table", period_tag, level, lake_version from public.battle_files
      where removed_version is null order by 1, 2`;
    assert.deepEqual(files.map((file) => Object.values(file)), [
      ["battles", "007", 1, 1],
      ["battles", "2024-11-24", 2, 1],
      ["quests", "007", 1, 0],
      ["ships", "007", 0, null],
    ]);

    const latest = await call(
      stack,
      "GET",
      `/battle-data/latest?dataset_id=${dataset}&table=battles`,
      {
        headers: user.headers,
      },
    );
    const paths = [];
    for (const { id, url } of latest.body.files) {
      const path = join(folder, `${id}.parquet`);
      await Deno.writeFile(path, new Uint8Array(await (await fetch(url)).arrayBuffer()));
      paths.push(literal(path));
    }
    const list = `[${paths.join(", ")}]`;
    assert.deepEqual(
      await rows(
        duckdb,
        `select dataset_id, period_tag, count(*)::int as n, min(id) as first, max(id) as last
         from read_parquet(${list}) group by all order by 2`,
      ),
      [
        { dataset_id: dataset, period_tag: "007", n: 50, first: 100, last: 149 },
        { dataset_id: dataset, period_tag: "2024-11-24", n: 40, first: 0, last: 39 },
      ],
    );
  } finally {
    duckdb.closeSync();
    await sql.end();
    await Deno.remove(folder, { recursive: true });
  }
});
