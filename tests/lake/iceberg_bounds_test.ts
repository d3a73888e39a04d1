/**
 * By the bounds of sort keys in manifests DuckDB and pyiceberg pass by files; and whatever they pass by, the rows are those that
 * were sent.
 */
import { strict as assert } from "node:assert";
import { join } from "node:path";
import { signUp } from "../support/client.ts";
import { literal, rows } from "../support/duckdb.ts";
import { hasExtensions, loadExtensions } from "../support/duckdb_extensions.ts";
import { hasPyiceberg, scanIceberg } from "../support/pyiceberg.ts";
import { openLakeWorld } from "./lake_world.ts";

/** Of each dataset its sort keys, and its columns of row n of period k (0 to 3). */
const datasets = [
  {
    // narrower than the other datasets', so that columns are promoted over manifests that are there
    keys: ["day", "i", "f", "d"],
    columns: `date '1999-12-30' + (k * 10 + n)::int as day, (k * 100 + n)::smallint as i,
      (case when k = 0 and n = 0 then -0.0 else k + n / 8 end)::float as f, (k - 1 + n / 4)::decimal(5, 2) as d`,
  },
  {
    keys: ["i", "ts desc", "d", "s"],
    columns:
      `case when k = 2 and n = 1 then null when k = 3 then 9007199254740993 + n else k * 1000 + n end::bigint as i,
      timestamp '2024-11-25 00:00:00' + to_days(k::int) + to_microseconds(n) as ts,
      (case when k = 0 then -1 else k end * 100 + n + 0.25)::decimal(9, 2) as d,
      case when k = 3 then repeat('zz', 40) || n else ['a', 'é', '日本'][k + 1] || n end as s`,
  },
  {
    keys: ["f", "ms", "atz", "s"],
    columns:
      `(case when k = 0 and n = 0 then 0.0 when k = 1 and n = 0 then 'nan'::double when k = 2 and n = 9 then 'inf'::double when k = 3 then null
        else k * 10 + n + 0.123456789 end)::double as f,
      (timestamp '1969-12-31 23:59:59.990' + to_days(k::int) + to_milliseconds(n))::timestamp_ms as ms,
      timestamptz '2024-11-25 00:00:00+00' + to_days(k::int) + to_microseconds(n) as atz, null::varchar as s`,
  },
];
/** Each period's rows come in two files, which are merged. */
const periods = 4, half = 5;

/** Values of each column within one period, at its edge, and between two. */
const edges: Record<string, string[]> = {
  i: ["0", "9", "1009", "500", "9007199254740993", "9007199254741002", "309"],
  ts: ["'2024-11-25T00:00:00'", "'2024-11-26T00:00:00.000009'", "'2024-11-27T12:00:00'"],
  d: ["-91.75", "-99.75", "109.25", "300.25", "0.25", "-1.00"],
  s: ["'a0'", "'a9'", "'é5'", "'日本9'", `'${"zz".repeat(40)}5'`, "'b'"],
  f: ["0.0", "-0.0", "0.123456789", "9.123456789", "3.875", "29.0", "100.0"],
  ms: ["'1969-12-31T23:59:59.999'", "'1970-01-01T23:59:59.990'", "'1970-01-02T12:00:00'"],
  atz: ["'2024-11-25T00:00:00+00:00'", "'2024-11-26T00:00:00.000009+00:00'"],
  day: ["'1999-12-30'", "'2000-01-08'", "'2000-02-07'"],
};

Deno.test({
  name:
    "filters on sort keys read fewer files over Iceberg, and at every edge the rows that were sent",
  ignore: !await hasExtensions("httpfs", "avro", "iceberg"),
}, async (t) => {
  await using world = await openLakeWorld();
  const { stack, sql, duckdb, sent } = world;
  const uri = `${stack.url}/functions/v1/iceberg`;
  const user = await signUp(stack, "sorter@example.com");
  const ids = datasets.map(() => crypto.randomUUID());
  await sql`select approve_lake_table('readings')`;
  await loadExtensions(duckdb, "httpfs", "avro", "iceberg");
  const attach = async () => {
    await duckdb.run("detach database if exists ice");
    await duckdb.run(
      `attach '' as ice (type iceberg, endpoint ${literal(uri)}, token ${
        literal(stack.secretKey)
      })`,
    );
  };
  let narrow = 0;
  for (const [at, { keys, columns }] of datasets.entries()) {
    for (let k = 0; k < periods; k++) {
      for (const from of [0, half]) {
        await world.send(
          user,
          { dataset: ids[at]!, table: "readings", period: `p${k}` },
          `select ${columns} from (select ${k} as k, n from range(${from}, ${from + half}) t(n))`,
        );
        if (k + from > 0) continue;
        await sql`insert into table_settings (dataset_id, "table", sort_keys)
          values (${ids[at]!}, 'readings', ${keys})`;
      }
    }
    await world.settle(user, ids[at]!);
    // manifests of each are written with the types of then
    await attach();
    await rows(duckdb, "select count(*) from ice.lake.readings");
    if (at === 0) narrow = await world.publish();
  }
  await duckdb.run(`create table sent as ${world.expected("readings", sent)}`);
  const same = (left: string, right = left) =>
    world.isEqual(
      `(${left.replace("READINGS", "ice.lake.readings")})`,
      `(${right.replace("READINGS", "sent")})`,
      left,
    );
  const [first, second, third] = ids.map((id) => `dataset_id = '${id}' and `);
  /** Filters in words that both engines know, and how many of the twelve files each opens, pyiceberg, and DuckDB where it differs. */
  const opened: [where: string, files: number, ofDuckdb?: number][] = [
    [`${second}i = 1005`, 1],
    [`${second}i >= 9007199254740993`, 1],
    [`${second}ts >= '2024-11-27T00:00:00'`, 2],
    [`${second}d < 0`, 1],
    // texts beyond ASCII have no bounds
    [`${second}s = 'a5'`, 3],
    [`${second}s = '${"zz".repeat(40)}5' and i < 100`, 0],
    // of fractions there is no upper bound: NaN may be above it. DuckDB goes by both or by none
    [`${first}f < 1.0`, 1, 4],
    [`${first}f > 2.0`, 4],
    // with NaN or infinity there is none at all; where all are null there is nothing to find
    [`${third}f < 5.0`, 3, 4],
    [`${third}ms = '1970-01-01T23:59:59.991'`, 1],
    [`${third}atz < '2024-11-25T12:00:00+00:00'`, 1],
    [`${first}day >= '2000-01-09' and day <= '2000-01-10'`, 1],
    [`${first}i = 205`, 1],
    // four files have no such column
    ["i = 205", 5],
  ];

  await t.step("DuckDB passes files by", async () => {
    const read: [string, number][] = [];
    for (const [where] of opened) {
      const [plan] = await rows(
        duckdb,
        `explain analyze select * from ice.lake.readings where ${where}`,
      );
      const text = JSON.stringify(Object.values(plan!));
      read.push([where, Number(/Total Files Read: (\d+)/.exec(text)?.[1] ?? "0")]);
    }
    assert.deepEqual(read, opened.map(([where, files, ofDuckdb = files]) => [where, ofDuckdb]));
  });
  for (const [column, values] of Object.entries(edges)) {
    await t.step(
      `DuckDB finds the rows that were sent, whatever is asked of ${column}`,
      async () => {
        for (const value of values) {
          for (const than of ["=", "<>", "<", "<=", ">", ">="]) {
            await same(`select * from READINGS where ${column} ${than} ${value}`);
          }
        }
        await same(`select * from READINGS where ${column} in (${values.join(", ")})`);
        for (const is of ["is null", "is not null"]) {
          await same(`select * from READINGS where ${column} ${is}`);
        }
        await same(`select min(${column}), max(${column}), count(${column}) from READINGS`);
        for (const order of ["asc nulls last", "desc nulls last"]) {
          await same(`select ${column} from READINGS order by ${column} ${order} limit 7`);
        }
      },
    );
  }
  await t.step("a snapshot from before columns were promoted reads as it did", async () => {
    for (const where of ["i = 205", "i < 100", "f < 2.0", "d >= 0.25", "day = '2000-01-08'"]) {
      await same(
        `select day, i, f, d from READINGS at (version => ${narrow}) where ${where}`,
        `select day, i, f, d from READINGS where dataset_id = '${ids[0]}' and ${where}`,
      );
    }
  });
  await t.step({
    name: "pyiceberg passes the same by, and finds the same",
    ignore: !await hasPyiceberg(),
    fn: async () => {
      const asked = [
        ...opened.map(([where]) => ({ where, snapshot: undefined })),
        ...Object.entries(edges).flatMap(([column, values]) =>
          values.flatMap((value) =>
            // NaN is above all to DuckDB, and beside all to Arrow
            (column === "f" ? ["=", "<"] : ["=", "<", ">="]).map((than) => ({
              where: `${column} ${than} ${value}`,
              snapshot: undefined,
            }))
          )
        ),
        { where: "s is null", snapshot: undefined },
        { where: "i = 205", snapshot: narrow },
        { where: "f < 2.0", snapshot: narrow },
      ];
      const scans = asked.map(({ where, snapshot }, n) => ({
        path: join(world.folder, `scan-${n}.parquet`),
        filter: where,
        snapshot,
      }));
      const { files } = await scanIceberg(
        { uri, token: stack.secretKey },
        ["lake", "readings"],
        scans,
      );
      assert.deepEqual(
        opened.map(([where], n) => [where, files[n]]),
        opened.map(([where, files]) => [where, files]),
      );
      for (const [n, { where, snapshot }] of asked.entries()) {
        const of = snapshot === undefined ? "" : `dataset_id = '${ids[0]}' and `;
        await world.isEqual(
          `(select dataset_id, period_tag, i, d, f, day from read_parquet(${
            literal(scans[n]!.path)
          }))`,
          `(select dataset_id, period_tag, i, d, f, day from sent where ${of}${where})`,
          where,
        );
      }
    },
  });
});
