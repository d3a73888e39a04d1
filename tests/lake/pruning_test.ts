/**
 * By what is known of the values of sort keys DuckDB passes by files of the lake; and whatever it passes by, the rows are
 * those that were sent.
 */
import { strict as assert } from "node:assert";
import { join } from "node:path";
import postgres from "postgres";
import { startStack } from "../../supabase/local/stack.ts";
import { call, sha256, signUp, until, uploadForm } from "../support/client.ts";
import { literal, multisetDifference, openDuckdb, rows } from "../support/duckdb.ts";
import { hasExtensions, loadExtensions } from "../support/duckdb_extensions.ts";

/** Of each dataset its sort keys, and its columns of row n of period k (0 to 3). */
const datasets = [
  {
    keys: ["i", "ts desc", "d", "s"],
    columns:
      `case when k = 2 and n = 1 then null when k = 3 then 9007199254740993 + n else k * 1000 + n end::bigint as i,
      timestamp '2024-11-25 00:00:00' + to_days(k::int) + to_microseconds(n) as ts,
      (case when k = 0 then -1 else k end * 100 + n + 0.25)::decimal(9, 2) as d,
      case when k = 3 then 'zz' else ['a', 'é', '日本'][k + 1] || n end as s`,
  },
  {
    keys: ["f", "ms", "ns", "atz"],
    columns:
      `(case when k = 0 and n = 0 then -0.0 when k = 1 and n = 0 then 'nan'::double when k = 2 and n = 9 then 'inf'::double when k = 3 then null
        else k * 10 + n end)::double as f,
      (timestamp '1969-12-31 23:59:59.990' + to_days(k::int) + to_milliseconds(n))::timestamp_ms as ms,
      ('2024-11-2' || k || ' 00:00:00.12345678' || n)::timestamp_ns as ns,
      timestamptz '2024-11-25 00:00:00+00' + to_days(k::int) + to_microseconds(n) as atz`,
  },
  {
    // narrower than the other datasets', so that columns widen over files that are there
    keys: ["day", "u", "i", "f"],
    columns:
      `date '1999-12-30' + (k * 10 + n)::int as day, (case when k = 3 then 18446744073709551605::hugeint else k * 100 end + n)::ubigint as u,
      (k * 100 + n)::smallint as i, (k + n / 8)::float as f, (k * 10 + n)::decimal(5, 1) as d`,
  },
];

/** A value of each column within one period, and one between two. */
const edges: Record<string, string[]> = {
  i: ["0", "9", "1009", "1005", "500", "9007199254740993", "9007199254741002", "309"],
  ts: ["'2024-11-25 00:00:00'", "'2024-11-26 00:00:00.000009'", "'2024-11-27 12:00:00'"],
  d: ["-91.75", "-99.75", "109.25", "300.25", "39", "150"],
  s: ["'a0'", "'a9'", "'é5'", "'日本9'", "'zz'", "'b'", "''"],
  f: [
    "0::double",
    "-0.0::double",
    "9::double",
    "'nan'::double",
    "'inf'::double",
    "29::double",
    "3.875::double",
    "100::double",
  ],
  ms: ["'1969-12-31 23:59:59.999'", "'1970-01-01 23:59:59.990'", "'1970-01-02 12:00:00'"],
  ns: [
    "'2024-11-20 00:00:00.123456789'",
    "'2024-11-21 00:00:00.123456780'",
    "'2024-11-22 01:00:00'",
  ],
  atz: ["'2024-11-25 00:00:00+00'", "'2024-11-26 00:00:00.000009+00'", "'2024-11-27 12:00:00+00'"],
  day: ["'1999-12-30'", "'2000-01-08'", "'2000-02-07'", "'2010-01-01'"],
  u: ["0", "209", "18446744073709551605", "18446744073709551614", "50"],
};

Deno.test({
  name:
    "filters on sort keys read fewer files of the lake, and at every edge the rows that were sent",
  ignore: !await hasExtensions("httpfs", "postgres_scanner", "ducklake"),
}, async (t) => {
  await using stack = await startStack({ tickSeconds: 0.5, cronSeconds: { sediment_lake: 3600 } });
  const sql = postgres(stack.dbUrl, { max: 2, onnotice: () => {} });
  const folder = await Deno.makeTempDir({ prefix: "sediment-pruning-" });
  const duckdb = await openDuckdb(1);
  const user = await signUp(stack, "sorter@example.com");
  const ids = datasets.map(() => crypto.randomUUID());
  const sent: string[] = [];
  try {
    await sql`select approve_lake_table('readings')`;
    await sql.unsafe("alter role sediment_lake login password 'lake'");
    // the narrow one first: its columns are widened over it
    for (const at of [2, 0, 1]) {
      const { keys, columns } = datasets[at]!, dataset = ids[at]!;
      for (let k = 0; k < 4; k++) {
        for (const half of [0, 1]) {
          const path = join(folder, `${at}-${k}-${half}.parquet`);
          await duckdb.run(
            `copy (select ${columns} from (select ${k} as k, n from range(${half * 5}, ${
              half * 5 + 5
            }) t(n))) to ${literal(path)} (format parquet)`,
          );
          const bytes = await Deno.readFile(path);
          const { status, body } = await call(stack, "POST", "/battle-data/upload", {
            headers: user.headers,
            body: uploadForm({
              dataset_id: dataset,
              table: "readings",
              kc_period_tag: `p${k}`,
              content_hash: sha256(bytes),
            }, bytes),
          });
          assert.equal(status, 200, JSON.stringify(body));
          sent.push(
            `select ${literal(dataset)} as dataset_id, 'p${k}' as period_tag, * from read_parquet(${
              literal(path)
            })`,
          );
          if (k + half === 0) {
            await sql`insert into table_settings (dataset_id, "table", sort_keys)
              values (${dataset}, 'readings', ${keys})`;
          }
        }
      }
      await call(stack, "POST", "/compaction", {
        headers: user.headers,
        json: { datasetId: dataset, priority: "manual" },
      });
      await until("all is merged", 60, async () => {
        const [{ count }] = await sql`select count(*)::int from battle_files
          where removed_version is null and lake_version is null`;
        return count === 0;
      });
      await sql`select sediment.publish_lake()`;
    }
    await loadExtensions(duckdb, "httpfs", "postgres_scanner", "ducklake");
    const at = new URL(stack.dbUrl);
    await duckdb.run(`create secret (type s3, key_id ${literal(stack.s3!.accessKeyId)},
      secret ${literal(stack.s3!.secretAccessKey)}, region ${literal(stack.s3!.region)},
      endpoint '${new URL(stack.url).host}/storage/v1/s3', url_style 'path', use_ssl false)`);
    await duckdb.run(
      `attach 'ducklake:postgres:host=${at.hostname} port=${at.port} dbname=${at.pathname.slice(1)}
      user=sediment_lake password=lake' as lake (read_only, metadata_schema 'lake', meta_schema 'lake')`,
    );
    await duckdb.run(`create table sent as ${sent.join(" union all by name ")}`);
    const same = async (query: (relation: string) => string) =>
      assert.deepEqual(
        await multisetDifference(duckdb, `(${query("lake.readings")})`, `(${query("sent")})`),
        { onlyLeft: 0, onlyRight: 0 },
        query("lake.readings"),
      );

    await t.step("files are passed by", async () => {
      const [first, second, third] = ids.map((id) => `dataset_id = '${id}' and`);
      for (
        const [where, files] of [
          [`${first} i = 1005`, 1],
          [`${first} i >= 9007199254740993`, 1],
          [`${first} ts >= '2024-11-27 00:00:00'`, 2],
          [`${first} d < 0`, 1],
          // texts beyond ASCII have no bounds
          [`${first} s = 'a5'`, 3],
          [`${first} s = 'zz' and i < 100`, 0],
          // of fractions there is no upper bound: NaN may be above it
          [`${third} f < 1`, 1],
          [`${third} f > 2`, 4],
          // with NaN or infinity there is none at all; where all are null there is nothing to find
          [`${second} f < 5`, 3],
          [`${second} ms = '1970-01-01 23:59:59.991'`, 1],
          [`${second} ns > '2024-11-22 12:00:00'`, 1],
          [`${second} atz < '2024-11-25 12:00:00+00'`, 1],
          [`${third} day between '2000-01-09' and '2000-01-10'`, 1],
          [`${third} u > 18446744073709551600`, 1],
          [`${third} i = 205`, 1],
          ["i = 205", 1],
        ] as const
      ) {
        const [plan] = await rows(
          duckdb,
          `explain analyze select * from lake.readings where ${where}`,
        );
        const text = JSON.stringify(Object.values(plan!));
        const read = /Total Files Read: (\d+)/.exec(text)?.[1] ?? "0";
        assert.equal(Number(read), files, where);
      }
    });
    for (const [column, values] of Object.entries(edges)) {
      await t.step(`rows are those that were sent, whatever is asked of ${column}`, async () => {
        for (const value of values) {
          for (const than of ["=", "<>", "<", "<=", ">", ">="]) {
            await same((from) => `select * from ${from} where ${column} ${than} ${value}`);
          }
        }
        const [least, , most] = values;
        await same((from) => `select * from ${from} where ${column} between ${least} and ${most}`);
        await same((from) => `select * from ${from} where ${column} in (${values.join(", ")})`);
        await same((from) => `select * from ${from} where ${column} not in (${values.join(", ")})`);
        for (const is of ["is null", "is not null"]) {
          await same((from) => `select * from ${from} where ${column} ${is}`);
        }
        for (
          const order of [
            "asc nulls last",
            "desc nulls last",
            "asc nulls first",
            "desc nulls first",
          ]
        ) {
          await same((from) => `select ${column} from ${from} order by ${column} ${order} limit 7`);
        }
        await same((from) =>
          `select min(${column}), max(${column}), count(${column}) from ${from}`
        );
      });
    }
    await t.step("a snapshot from before a column was widened reads as it did", async () => {
      const [{ id }] = await sql`select min(id)::int as id from lake_snapshots where id in (
        select begin_snapshot from lake_files)`;
      for (const where of ["i = 205", "f < 2", "d >= 39", "u = 209"]) {
        assert.deepEqual(
          await multisetDifference(
            duckdb,
            `(select day, u, i::bigint as i, f::double as f from lake.readings at (version => ${id}) where ${where})`,
            `(select day, u, i, f from sent where dataset_id = '${ids[2]}' and ${where})`,
          ),
          { onlyLeft: 0, onlyRight: 0 },
          where,
        );
      }
    });
  } finally {
    await sql.end();
    await Deno.remove(folder, { recursive: true });
  }
});
