import { strict as assert } from "node:assert";
import type { Sql } from "postgres";
import { migrationFiles, repositoryMigrations } from "../../supabase/local/migrate.ts";
import { schemaFiles } from "../../supabase/migrate/schema_files.ts";
import { missingDebianPostgres } from "./debian_postgres.ts";
import { startCluster, withClient } from "./cluster.ts";
import { applySchemas } from "./migrations.ts";

Deno.test("the migrations make what the schemas say", async () => {
  await using cluster = await startCluster(17);
  const [migrated, declared] = [
    await cluster.newDatabase(),
    await cluster.newDatabase({ migrated: false }),
  ];
  await withClient(declared.url, applySchemas);
  assert.deepEqual(
    await withClient(migrated.url, everything),
    await withClient(declared.url, everything),
  );
});

Deno.test("applying every schema file to what the migrations made changes nothing", async () => {
  await using cluster = await startCluster(17);
  const { url } = await cluster.newDatabase();
  await withClient(url, async (sql) => {
    await sql`update service_settings set max_workers = 7`;
    await sql`update storage.buckets set file_size_limit = 5 where id = 'sediment'`;
    await sql`select pgmq.send('compaction_manual', '{"kept": true}'::jsonb)`;
    const before = await everything(sql);
    await applySchemas(sql);
    assert.deepEqual(await everything(sql), before);
    const [kept] = await sql`
      select (select max_workers from service_settings) as workers,
        (select file_size_limit from storage.buckets where id = 'sediment')::int as bucket,
        (select count(*) from pgmq.q_compaction_manual)::int as messages`;
    assert.deepEqual({ ...kept }, { workers: 7, bucket: 5, messages: 1 }, "what was set stays");
  });
});

Deno.test("migrations are numbered one after another, and begin with what they are for", async () => {
  const files = await migrationFiles(repositoryMigrations);
  const versions = files.map((file) => file.split("_", 1)[0]);
  assert.equal(new Set(versions).size, files.length);
  for (const file of files) {
    assert.match(file, /^\d{14}_[a-z]+(_[a-z]+)+\.sql$/);
    const text = await Deno.readTextFile(`${repositoryMigrations}/${file}`);
    assert.ok(text.startsWith("--"), file);
  }
});

for (const major of [15, 17] as const) {
  const missing = major === 15 ? missingDebianPostgres(major) : undefined;
  if (missing) console.log(`skipped: migrations on PostgreSQL ${major}: ${missing}`);
  Deno.test({
    name: `each migration holds on PostgreSQL ${major} where the search_path was emptied before`,
    ignore: missing !== undefined,
    async fn() {
      await using cluster = await startCluster(major);
      const { url } = await cluster.newDatabase({ migrated: false });
      await withClient(url, async (sql) => {
        const [{ is_superuser }] = await sql`show is_superuser`;
        assert.equal(is_superuser, "off");
        for (const file of await migrationFiles(repositoryMigrations)) {
          const text = await Deno.readTextFile(`${repositoryMigrations}/${file}`);
          await sql.begin(async (tx) => {
            await tx`set local search_path = ''`;
            await tx.unsafe(text).simple().catch((cause) => {
              throw new Error(`${file}: ${cause.message}`, { cause });
            });
          });
        }
        const [{ jobs }] = await sql`select count(*)::int as jobs from cron.job`;
        assert.ok(jobs > 0, "the last file of the first release has run");
      });
    },
  });
}

Deno.test("a schema file holds one function, whose name it bears, and begins with what it is for", async () => {
  const files = await schemaFiles();
  assert.equal(new Set(files.map(({ name }) => name)).size, files.length, "no name twice");
  for (const { path, name, text } of files) {
    const functions = text.matchAll(
      /^create (?:or replace )?function (?:public|sediment)\.(\w+)/gm,
    );
    const made = [...functions].map((match) => match[1]);
    if (made.length > 0) assert.deepEqual(made, [name], path);
    assert.ok(text.startsWith("--"), path);
  }
});

/** Every object of the catalog, as text. */
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
