/**
 * DuckDB's own extensions, unmodified, over the catalog's DuckLake: the statements of docs/lake.md, and rows compared with the
 * files that were sent, while merges, deletions, publications and vacuums go on.
 */
import { strict as assert } from "node:assert";
import postgres from "postgres";
import { hasPgbouncer, startPgbouncer } from "../database/pgbouncer.ts";
import { call, signUp } from "../support/client.ts";
import { literal, rows, scalar } from "../support/duckdb.ts";
import { hasExtensions, loadExtensions } from "../support/duckdb_extensions.ts";
import { openLakeWorld } from "./lake_world.ts";

const page = await Deno.readTextFile(new URL("../../docs/lake.md", import.meta.url));
const [ownerSql, duckdbSql] = [
  .../## DuckLake[\s\S]*/.exec(page)![0].matchAll(/```sql\n([\s\S]*?)```/g),
].map(([, text]) => text!);

Deno.test({
  name: "DuckDB attaches to the lake and reads what was sent, at every snapshot that is kept",
  ignore: !await hasExtensions("httpfs", "postgres_scanner", "ducklake"),
}, async (t) => {
  await using world = await openLakeWorld();
  const { stack, sql, duckdb, sent, publish, expected, isEqual } = world;
  const user = await signUp(stack, "operator@example.com");
  const [first, second, third] = [1, 2, 3].map(() => crypto.randomUUID());
  const send = (dataset: string, table: string, period: string, query: string, options?: string) =>
    world.send(user, { dataset, table, period }, query, options);
  const settle = (...datasets: string[]) => world.settle(user, ...datasets);
  const asWritten = (text: string) =>
    text.replaceAll("LAKE_PASSWORD", "lake")
      .replace("STORE_KEY", stack.s3!.accessKeyId).replace(
        "STORE_SECRET",
        stack.s3!.secretAccessKey,
      )
      .replace("REGION", stack.s3!.region)
      .replace(
        "PROJECT.storage.supabase.co/storage/v1/s3",
        `${new URL(stack.url).host}/storage/v1/s3`,
      )
      .replace("url_style 'path'", "url_style 'path', use_ssl false")
      .replace("DB_HOST", new URL(stack.dbUrl).hostname)
      .replace("port=5432", `port=${new URL(stack.dbUrl).port}`)
      .replace("dbname=postgres", `dbname=${new URL(stack.dbUrl).pathname.slice(1)}`);
  const lakeRows = (table: string, at = "") => `(select * from lake.${table}${at})`;

  await sql.unsafe(asWritten(ownerSql!));
  // a table with a column of its own that is called as the lake's
  for (const half of [0, 1]) {
    await send(first!, "ships", "0", `select ${half} as id, 'mine' as Dataset_Id`);
  }
  await sql`select approve_lake_table('ships')`;

  // ids of fields that would swap the columns if engines went by them; nested columns; types that widen
  for (const half of [0, 1]) {
    await send(
      first!,
      "battles",
      "null",
      `select (i + ${
        half * 50
      })::int as id, 'a' || i as name, [i, null] as l, {'x': i, 'y': ['q', null]} as s,
          map {'k' || i: i} as m, timestamptz '2024-11-25 00:00:00+00' + to_seconds(i) as sent_at from range(50) t(i)`,
      ", field_ids {id: 1, name: 2, l: {__duckdb_field_id: 3, element: 4}, s: 5, m: 6, sent_at: 7}",
    );
    await send(
      second!,
      "battles",
      "007",
      `select (i + ${
        half * 50 + 1000
      })::bigint + 3000000000 as id, 'b' || i as name, i / 4 as score,
          {'x': i} as s from range(50) t(i)`,
      ", field_ids {id: 2, name: 1, score: 3, s: 4}",
    );
    await send(
      second!,
      "battles",
      "2024-11-25",
      `select (i + ${half * 50 + 2000})::smallint as id, null::varchar as name from range(50) t(i)`,
    );
  }
  const one = await settle(first!, second!);
  const atOne = [...sent];

  await loadExtensions(duckdb, "httpfs", "postgres_scanner", "ducklake");
  const statements = asWritten(duckdbSql!).split(";").map((each) => each.trim()).filter(Boolean);
  await t.step("by the statements of docs/lake.md", async () => {
    for (const statement of statements.slice(0, 2)) await duckdb.run(statement);
    assert.deepEqual(
      (await rows(duckdb, `${statements[2]} order by 1, 2`)).map((
        row,
      ) => [row.period_tag, Number(Object.values(row)[2])]).sort(),
      [["007", 100], ["2024-11-25", 100], ["null", 100]],
    );
  });
  await t.step("rows are those that were sent, with their dataset and period", async () => {
    await isEqual(lakeRows("battles"), expected("battles", sent));
  });
  await t.step("a table keeps its own dataset_id", async () => {
    await isEqual(lakeRows("ships"), expected("ships", sent, ["_dataset_id", "_period_tag"]));
  });
  await t.step("tags that look like nulls and numbers are texts", async () => {
    const columns = "select dataset_id, period_tag, id, name, s.x from";
    for (const period of ["null", "007"]) {
      await isEqual(
        `(${columns} lake.battles where period_tag = ${literal(period)})`,
        `(${columns} ${expected("battles", sent.filter((file) => file.period === period))})`,
      );
    }
  });
  await t.step("a filter by dataset or period opens no other file", async () => {
    for (const where of [`dataset_id = '${first}'`, "period_tag = '007'"]) {
      const [plan] = await rows(
        duckdb,
        `explain analyze select sum(id) from lake.battles where ${where}`,
      );
      assert.match(JSON.stringify(Object.values(plan!)), /Total Files Read: 1\b/);
    }
  });
  await t.step("counts, least and greatest are right", async () => {
    const asked =
      "select count(*), min(id), max(id), min(dataset_id), max(period_tag), count(name), min(sent_at) from";
    await isEqual(`(${asked} lake.battles)`, `(${asked} ${expected("battles", sent)})`);
  });
  for (const mode of ["session", "transaction"]) {
    await t.step({
      name: `over a pooler in ${mode} mode it is the same lake`,
      ignore: !hasPgbouncer(),
      fn: async () => {
        const url = new URL(stack.dbUrl);
        [url.username, url.password] = ["sediment_lake", "lake"];
        await using pooler = await startPgbouncer(url.href, { pool_mode: mode });
        const [, attach] = statements;
        const { port } = new URL(pooler.url);
        await duckdb.run(
          attach!.replace(/port=\d+/, `port=${port}`).replace(/ as lake\b/, " as pooled"),
        );
        try {
          await isEqual("(select * from pooled.battles)", expected("battles", sent));
          await isEqual(
            `(select * from pooled.battles where period_tag = '007')`,
            "(select * from lake.battles where period_tag = '007')",
          );
        } finally {
          await duckdb.run("detach pooled");
        }
      },
    });
  }
  await t.step("the role reads nothing but the lake", async () => {
    const url = new URL(stack.dbUrl);
    [url.username, url.password] = ["sediment_lake", "lake"];
    const role = postgres(url.href, { max: 1 });
    try {
      for (
        const relation of [
          "public.battle_files",
          "public.lake_files",
          "public.service_settings",
          "auth.users",
        ]
      ) {
        await assert.rejects(role.unsafe(`select 1 from ${relation}`), /permission denied/);
      }
      await assert.rejects(role`select sediment.publish_lake()`, /permission denied/);
      await assert.rejects(
        role`delete from lake.ducklake_snapshot`,
        /read-only|permission denied/,
      );
    } finally {
      await role.end();
    }
  });

  // merges go on, a column comes, and a period goes
  for (const half of [0, 1]) {
    await send(
      first!,
      "battles",
      "null",
      `select ${half + 500}::int as id, 'c' as name, 1.5 as extra`,
    );
  }
  const two = await settle(first!);
  const atTwo = [...sent];
  const removed = await call(
    stack,
    "DELETE",
    `/battle-data/datasets/${second}/tables/battles/periods/007`,
    {
      headers: user.headers,
    },
  );
  assert.ok(removed.status < 300, JSON.stringify(removed.body));
  await sql`select advance_deletions(10000)`;
  const three = await publish();
  const atThree = sent.filter((file) => file.period !== "007");
  // nothing of before is kept but what the lake keeps
  await sql`update service_settings set retention_seconds = 0, signed_url_seconds = 0, vacuum_interval_seconds = 0 where id`;
  for (let i = 0; i < 3; i++) {
    await world.vacuum();
  }

  await t.step(
    "each kept snapshot shows what it showed, whatever was merged, deleted and vacuumed since",
    async () => {
      assert.ok(one < two && two < three);
      for (const [version, those] of [[one, atOne], [two, atTwo]] as const) {
        await isEqual(
          lakeRows("battles", ` at (version => ${version})`),
          expected("battles", [...those]),
        );
      }
      // a column stays when its last file has gone
      const left = `(select *, null::double as score from ${expected("battles", atThree)})`;
      await isEqual(lakeRows("battles", ` at (version => ${three})`), left);
      await isEqual(lakeRows("battles"), left);
      const asked = "select count(*), min(id), max(id), max(dataset_id), min(period_tag) from";
      await isEqual(`(${asked} lake.battles)`, `(${asked} ${expected("battles", atThree)})`);
      const [{ at }] = await sql`select at::text from lake_snapshots where id = ${one}`;
      await isEqual(
        lakeRows("battles", ` at (timestamp => timestamptz ${literal(at)})`),
        expected("battles", atOne),
      );
    },
  );
  await t.step("changes between snapshots come to what changed, merges aside", async () => {
    const net =
      `(select dataset_id, period_tag, id, name, sum(case change_type when 'insert' then 1 else -1 end)::int as n
        from lake.table_changes('battles', ${one + 1}, ${three}) group by all having n <> 0)`;
    const came = `select dataset_id, period_tag, id, name, 1 as n from ${
      expected("battles", atTwo.slice(atOne.length))
    }`;
    const went = `select dataset_id, period_tag, id, name, -1 as n from ${
      expected("battles", atOne.filter((file) => file.period === "007"))
    }`;
    await isEqual(net, `(${came} union all ${went})`);
  });

  await t.step(
    "while files are merged, published and vacuumed no row is missing or twice",
    async () => {
      let going = true;
      const work = (async () => {
        for (let round = 0; round < 5; round++) {
          for (const half of [0, 1]) {
            await send(
              third!,
              "battles",
              "0",
              `select (i + ${(2 * round + half) * 10})::int as id from range(10) t(i)`,
            );
          }
          await settle(third!);
          await world.vacuum();
        }
      })().finally(() => going = false);
      let seen = 0;
      while (going) {
        const [row] = await rows(
          duckdb,
          `select count(*) as n, count(distinct id) as ids, coalesce(max(id), -1) + 1 as next from lake.battles
           where dataset_id = '${third}'`,
        );
        const [n, ids, next] = [row!.n, row!.ids, row!.next].map(Number);
        assert.equal(n, ids);
        assert.equal(n, next);
        assert.ok(n! >= seen);
        seen = n!;
      }
      await work;
      const all = expected("battles", [...atThree, ...sent.slice(atTwo.length)]);
      await isEqual(lakeRows("battles"), `(select *, null::double as score from ${all})`);
    },
  );
  await t.step("a table that is withdrawn is gone, but for the snapshots before", async () => {
    await sql`select withdraw_lake_table('ships')`;
    await publish();
    await assert.rejects(rows(duckdb, "from lake.ships"), /does not exist/);
    assert.equal(
      await scalar(duckdb, `select count(*) from lake.ships at (version => ${three})`),
      2,
    );
  });
});
