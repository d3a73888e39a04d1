import { strict as assert } from "node:assert";
import type { Sql } from "postgres";
import { migrationFiles, repositoryMigrations } from "../../supabase/local/migrate.ts";
import { startCluster, withClient } from "./cluster.ts";
import { applyMigrations } from "./migrations.ts";

Deno.test("applying every migration a second time changes nothing", async () => {
  await using cluster = await startCluster(17);
  const { url } = await cluster.newDatabase();
  await withClient(url, async (sql) => {
    await sql`update service_settings set max_workers = 7`;
    await sql`update storage.buckets set file_size_limit = 5 where id = 'sediment'`;
    await sql`select pgmq.send('compaction_manual', '{"kept": true}'::jsonb)`;
    const before = await everything(sql);
    await applyMigrations(sql);
    assert.deepEqual(await everything(sql), before);
    const [kept] = await sql`
      select (select max_workers from service_settings) as workers,
        (select file_size_limit from storage.buckets where id = 'sediment')::int as bucket,
        (select count(*) from pgmq.q_compaction_manual)::int as messages`;
    assert.deepEqual({ ...kept }, { workers: 7, bucket: 5, messages: 1 }, "what was set stays");
  });
});

Deno.test("migrations are numbered one after another and hold one function each", async () => {
  const files = await migrationFiles(repositoryMigrations);
  const versions = files.map((file) => file.split("_", 1)[0]);
  assert.equal(new Set(versions).size, files.length);
  for (const file of files) {
    assert.match(file, /^\d{14}_[a-z]+(_[a-z]+)+\.sql$/);
    const text = await Deno.readTextFile(`${repositoryMigrations}/${file}`);
    const functions = text.match(/^create or replace function (public|sediment)\.(\w+)/gm) ?? [];
    assert.ok(functions.length <= 1, file);
    const name = /\.(\w+)$/.exec(functions[0] ?? "")?.[1];
    if (name) assert.ok(file.endsWith(`_create_${name}.sql`), `${file} creates ${name}`);
    assert.ok(text.startsWith("--"), `${file} begins with what it is for`);
  }
});

/** Every object that the migrations make, as text. */
async function everything(sql: Sql): Promise<unknown> {
  const rows = await sql`
    select 'function' as kind, p.oid::regprocedure::text as name, md5(pg_get_functiondef(p.oid) || coalesce(p.proacl::text, '')) as what
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname in ('public', 'sediment')
    union all
    select 'relation', c.oid::regclass::text, concat_ws(' ', c.relkind, c.relacl::text, c.relrowsecurity, c.reloptions::text)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname in ('public', 'sediment', 'pgmq')
    union all
    select 'column', concat_ws('.', table_schema, table_name, column_name), concat_ws(' ', data_type, is_nullable, column_default)
    from information_schema.columns where table_schema in ('public', 'sediment')
    union all
    select 'constraint', conrelid::regclass || ' ' || conname, pg_get_constraintdef(oid) from pg_constraint where connamespace = 'public'::regnamespace
    union all
    select 'policy', tablename || ' ' || policyname, concat_ws(' ', cmd, roles::text, qual, with_check) from pg_policies where schemaname = 'public'
    union all
    select 'job', jobname, schedule || ' ' || command from cron.job
    union all
    select 'queue', queue_name, '' from pgmq.meta
    order by 1, 2, 3`;
  return rows.map((row) => ({ ...row }));
}
