/**
 * `deno task bench lake [--tables N] [--files N] [--schemas N] [--json]`: what the lake costs and how fast DuckDB attaches to it,
 * with its own extensions where they are (`.ci/run`). Files of many tables and datasets, of which those that the first query opens
 * are real and in the local store; the catalog is a stack's. All datasets sort by four keys, of which publications keep what is
 * known. Each table's files have `--schemas` (1) schemas of 30 columns, of which the last is each one's own.
 *   {"publish_ms_per_file": of the catalog's CPU, "idle_tick_ms", "commit_ms_per_file": what telling the lake adds to a commit}
 *   {"client": "ducklake", "attach_ms", "first_query_ms", "files", "tables", "equal"}
 *   {"client": "iceberg", "files", "first_ms": loading a table of which nothing was written, "stale_ms": after a publication of one
 *     file, "warm_ms": after none, "metadata_bytes"}
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import postgres from "postgres";
import { createApp } from "../../functions/main.ts";
import { inspectParquetBytes } from "../../shared/parquet/inspect/inspect.ts";
import { type Stack, startStack } from "../../supabase/local/stack.ts";
import { literal, openDuckdb, rows } from "../support/duckdb.ts";
import { hasExtensions, loadExtensions } from "../support/duckdb_extensions.ts";
import { median } from "./median.ts";
import { cpuOfTree } from "./process_cpu.ts";

const { values: options } = parseArgs({
  args: Deno.args,
  options: {
    tables: { type: "string", default: "200" },
    files: { type: "string", default: "100000" },
    schemas: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
});
const realFiles: string[] = [];
let commitMs = 0;
const [tables, files] = [Number(options.tables), Number(options.files)];
const filesEach = Math.floor(files / tables);
/** What it may take. */
const most = { publish_ms_per_file: 1, attach_and_first_query_ms: 2_000, load_table_warm_ms: 200 };
/** Files of the table that is loaded over Iceberg REST. */
const icebergFiles = 10_000;

const took = async <T>(work: () => Promise<T>): Promise<[ms: number, answer: T]> => {
  const begun = performance.now();
  const answer = await work();
  return [performance.now() - begun, answer];
};
const say = (figures: Record<string, unknown>) =>
  console.log(options.json ? JSON.stringify(figures) : figures);

await using stack = await startStack({ cron: false, functions: false });
const sql = postgres(stack.dbUrl, { max: 1, onnotice: () => {} });
const admin = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
const duckdb = await openDuckdb();
const folder = await Deno.makeTempDir({ prefix: "sediment-bench-lake-" });
let over = false;
try {
  await fill();
  const figures = await publish();
  over ||= figures.publish_ms_per_file > most.publish_ms_per_file;
  say(figures);
  if (await hasExtensions("httpfs", "postgres_scanner", "ducklake")) {
    const seen = await attach();
    over ||= !seen.equal || seen.attach_ms + seen.first_query_ms > most.attach_and_first_query_ms;
    say(seen);
  } else console.error("DuckDB's extensions are not here: .ci/run puts them there");
  const loaded = await loadTable();
  over ||= loaded.warm_ms > most.load_table_warm_ms;
  say(loaded);
} finally {
  await sql.end();
  await admin.end();
  await Deno.remove(folder, { recursive: true });
}
if (over) {
  console.error("over what it may take:", most);
  Deno.exit(1);
}

/** Datasets with as many files of each table as there are periods; those of the first dataset's first table are real. */
async function fill() {
  await sql.unsafe(`create schema bench;
    create function bench.u(n integer) returns uuid language sql immutable as $$
      select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
    insert into public.datasets (id, user_id) select bench.u(n), bench.u(1) from generate_series(1, 50) n;
    insert into public.table_settings (dataset_id, "table", sort_keys)
    select bench.u(n), '*', '{c1,c2,c3,c4}' from generate_series(1, 50) n;
    insert into public.partitions (dataset_id, "table", period_tag)
    select bench.u(1 + f % 50), 't' || t, 'p' || f / 50
    from generate_series(1, ${tables}) t, generate_series(0, ${filesEach - 1}) f;
    select sediment.keep_schemas(array_agg(jsonb_build_object('name', 'schema', 'children', (
        select jsonb_agg(jsonb_build_object('name', case when c = 30 then 'x' || n else 'c' || c end, 'type', 'INT64', 'repetition', 'optional'))
        from generate_series(1, 30) c)))) from generate_series(1, ${Number(options.schemas)}) n;
    create function bench.schema(n integer) returns text language sql stable as $$
      select digest from public.file_schemas order by digest offset n % ${
    Number(options.schemas)
  } limit 1 $$;
    insert into public.objects (object_key, kind, state, put_deadline)
    select format('battle_compacted/%s/t%s/p%s/x.parquet', bench.u(1 + f % 50), t, f / 50), 'compacted', 'stored', now()
    from generate_series(1, ${tables}) t, generate_series(0, ${filesEach - 1}) f`).simple();
  const insert = (version: number | null) =>
    sql.unsafe(
      `insert into public.battle_files (dataset_id, "table", period_tag, run_id, ordinal, object_key, start_byte,
      byte_length, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes, added_version, uploaded_by, uploaded_at,
      schema_digest, lake_version, stats)
    select bench.u(1 + f % 50), 't' || t, 'p' || f / 50, gen_random_uuid(), 0,
      format('battle_compacted/%s/t%s/p%s/x.parquet', bench.u(1 + f % 50), t, f / 50), 0, 33554432, 1, 1, 1, 1000000, 4, 134217728, 1,
      bench.u(1), now(), bench.schema(f / 50), ${version},
      to_jsonb(format('[[%1$s,%2$s],[%1$s,%2$s],[%1$s,%2$s],[%1$s,%2$s]]', f * 1000, f * 1000 + 999))
    from generate_series(1, ${tables}) t, generate_series(0, ${filesEach - 1}) f`,
    );
  await sql`insert into lake_tables (name, dataset_column, period_column)
    select 't' || t, 'dataset_id', 'period_tag' from generate_series(1, ${tables}::int) t`;
  // twice without and once with, so that what is measured is no first time
  await insert(null);
  await sql`delete from battle_files where true`;
  const [without] = await took(() => insert(null));
  await sql`delete from battle_files where true`;
  const [withIt] = await took(() => insert(1));
  commitMs = Math.max(0, withIt - without) / files;
  await real(stack);
  await sql`analyze`;
}

/** Puts real bytes behind the first dataset's files of the first table. */
async function real({ url, secretKey }: Stack) {
  const of = await sql<
    { id: string; period_tag: string; object_key: string; dataset_id: string }[]
  >`
    select id, period_tag, object_key, dataset_id from battle_files where dataset_id = bench.u(1) and "table" = 't1'`;
  for (const [n, file] of of.entries()) {
    const path = join(folder, `${n}.parquet`);
    await duckdb.run(`copy (select i + ${n * 1000} as c1, ${literal(file.dataset_id)} as dataset_id,
      ${literal(file.period_tag)} as period_tag from range(1000) t(i)) to ${
      literal(path)
    } (format parquet)`);
    const body = await Deno.readFile(path);
    const facts = inspectParquetBytes(body);
    const answer = await fetch(`${url}/storage/v1/object/sediment/${file.object_key}`, {
      method: "POST",
      headers: { apikey: secretKey, authorization: `Bearer ${secretKey}` },
      body,
    });
    if (!answer.ok) throw new Error(await answer.text());
    await answer.body?.cancel();
    await sql`update battle_files set byte_length = ${body.byteLength}, row_count = ${facts.rowCount},
      stats = to_jsonb(${`[[${n * 1000},${n * 1000 + 999}]]`}::text) where id = ${file.id}`;
    realFiles.push(path);
  }
}

async function publish() {
  const [{ pid }] = await sql`select pg_backend_pid() as pid`;
  const cpu = async () => Object.values(await cpuOfTree(pid)).reduce((sum, each) => sum + each, 0);
  const before = await cpu();
  let shown = 0;
  for (;;) {
    const [{ answer }] = await sql`select sediment.publish_lake() as answer`;
    shown += answer.added;
    if (!answer.more) break;
  }
  const ms = await cpu() - before;
  // as autovacuum does after a thousand
  await sql`vacuum lake_pending`;
  const idle: number[] = [];
  for (let i = 0; i < 50; i++) {
    idle.push((await took(() => sql`select sediment.publish_lake()`))[0]);
  }
  if (shown !== tables * filesEach) throw new Error(`${shown} files are shown`);
  return {
    publish_ms_per_file: round(ms / shown),
    idle_tick_ms: round(median(idle)),
    commit_ms_per_file: round(commitMs),
  };
}

async function attach() {
  await sql`analyze`;
  await admin`alter role sediment_lake login password 'lake'`;
  const at = new URL(stack.dbUrl);
  await loadExtensions(duckdb, "httpfs", "postgres_scanner", "ducklake");
  await duckdb.run(`create secret (type s3, key_id ${literal(stack.s3!.accessKeyId)},
    secret ${literal(stack.s3!.secretAccessKey)}, region ${literal(stack.s3!.region)},
    endpoint '${new URL(stack.url).host}/storage/v1/s3', url_style 'path', use_ssl false)`);
  const [attachMs] = await took(() =>
    duckdb.run(
      `attach 'ducklake:postgres:host=${at.hostname} port=${at.port} dbname=${at.pathname.slice(1)}
      user=sediment_lake password=lake' as lake (read_only, metadata_schema 'lake', meta_schema 'lake')`,
    )
  );
  const asked = "select count(*) as n, sum(c1) as s, min(period_tag) as p from";
  const [firstMs, answer] = await took(() =>
    rows(duckdb, `${asked} lake.t1 where dataset_id = '00000000-0000-4000-8000-000000000001'`)
  );
  const right = await rows(duckdb, `${asked} read_parquet([${realFiles.map(literal).join(", ")}])`);
  const text = (value: unknown) =>
    JSON.stringify(value, (_, each) => typeof each === "bigint" ? String(each) : each);
  return {
    client: "ducklake",
    attach_ms: Math.round(attachMs),
    first_query_ms: Math.round(firstMs),
    files: tables * filesEach,
    tables,
    equal: text(answer) === text(right),
  };
}

/** A table of its own, loaded through the function; its files are rows alone, since none is opened. */
async function loadTable() {
  const insert = (from: number, to: number) =>
    sql.unsafe(`insert into public.partitions (dataset_id, "table", period_tag)
      select bench.u(1 + f % 50), 'ice', 'p' || f / 50 from generate_series(${from}, ${to}) f;
      insert into public.objects (object_key, kind, state, put_deadline)
      select format('battle_compacted/%s/ice/p%s/x.parquet', bench.u(1 + f % 50), f / 50), 'compacted', 'stored', now()
      from generate_series(${from}, ${to}) f;
      insert into public.battle_files (dataset_id, "table", period_tag, run_id, ordinal, object_key, start_byte,
        byte_length, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes, added_version, uploaded_by,
        uploaded_at, schema_digest, lake_version, stats)
      select bench.u(1 + f % 50), 'ice', 'p' || f / 50, gen_random_uuid(), 0,
        format('battle_compacted/%s/ice/p%s/x.parquet', bench.u(1 + f % 50), f / 50), 0, 33554432, 1, 1, 1, 1000000, 4, 134217728,
        1, bench.u(1), now(), (select digest from public.file_schemas limit 1), 1,
        to_jsonb(format('[[%1$s,%2$s],[%1$s,%2$s],[%1$s,%2$s],[%1$s,%2$s]]', f * 1000, f * 1000 + 999))
      from generate_series(${from}, ${to}) f`).simple();
  const publishAll = async () => {
    while ((await sql`select sediment.publish_lake() as answer`)[0].answer.more);
  };
  await sql`insert into lake_tables (name, dataset_column, period_column) values ('ice', 'dataset_id', 'period_tag')`;
  await insert(1, icebergFiles - 1);
  await publishAll();
  await sql`analyze`;
  const app = createApp({ ...stack.functionsEnv, SEDIMENT_LOG_LEVEL: "error" });
  const load = async () => {
    const answer = await app.fetch(
      new Request("http://bench.local/iceberg/v1/namespaces/lake/tables/ice", {
        headers: { authorization: `Bearer ${stack.secretKey}` },
      }),
    );
    const text = await answer.text();
    if (!answer.ok) throw new Error(text);
    return text.length;
  };
  // each request of a service is told of, on the output that figures are read from
  const { info } = console;
  console.info = () => {};
  try {
    const [firstMs] = await took(load);
    await insert(icebergFiles, icebergFiles);
    await publishAll();
    const [staleMs] = await took(load);
    const warm: number[] = [];
    for (let i = 0; i < 20; i++) warm.push((await took(load))[0]);
    return {
      client: "iceberg",
      files: icebergFiles,
      first_ms: Math.round(firstMs),
      stale_ms: Math.round(staleMs),
      warm_ms: round(median(warm)),
      metadata_bytes: await load(),
    };
  } finally {
    console.info = info;
    await app.close();
  }
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
