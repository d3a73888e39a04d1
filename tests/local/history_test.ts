import { strict as assert } from "node:assert";
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import { SedimentError } from "../../shared/errors.ts";
import { migrationFiles, repositoryMigrations } from "../../supabase/local/migrate.ts";
import { startStack } from "../../supabase/local/stack.ts";
import { migrationsFolder } from "./migrations_folder.ts";

const bare = { functions: false, cron: false };

/** The one file that the new history words otherwise, as it was. */
const oldExtensions =
  `-- Extensions as a hosted project has them. pg_net keeps its functions in schema net and pg_cron in schema cron,
-- whatever schema they are created in. pgmq's schema is made first, by us: hosted projects create extensions as
-- another role, which would own the schema, and then it is not ours to grant.
create schema if not exists pgmq;
create extension if not exists pgmq with schema pgmq;
create extension if not exists pg_cron;
create extension if not exists pg_net;`;

Deno.test("a state folder of before the history began anew is adopted with its data, or refused", async (t) => {
  const stateDir = await Deno.makeTempDir();
  const [extensions, catalog] = (await migrationFiles(repositoryMigrations)).slice(0, 2);
  const migrationsDir = await migrationsFolder(Object.fromEntries(
    await Promise.all(
      [extensions, catalog].map(async (file) =>
        [file, await Deno.readTextFile(join(repositoryMigrations, file))] as const
      ),
    ),
  ));
  const history = (sql: Sql) =>
    sql`select version from supabase_migrations.schema_migrations order by 1`
      .then((rows) => rows.map((row) => row.version as string));
  try {
    {
      await using stack = await startStack({ ...bare, stateDir, migrationsDir });
      await withSql(stack.adminDbUrl, async (sql) => {
        await sql`insert into public.datasets (id, user_id) values (gen_random_uuid(), gen_random_uuid())`;
        await ageHistory(sql, await Deno.readTextFile(join(migrationsDir, catalog)));
        await sql`insert into supabase_migrations.schema_migrations (version, name, statements)
          values ('20200101000000', 'another_app', array['select 1'])`;
        await sql`update supabase_migrations.schema_migrations
          set statements = array_append(statements, 'select 1') where name = 'create_commit_compaction'`;
      });
    }
    await t.step("one with other statements is refused, and nothing changes", async () => {
      const refusal = await startStack({ ...bare, stateDir }).then(
        (stack) => stack.stop().then(() => undefined),
        (error) => error as SedimentError,
      );
      assert.equal(refusal?.code, "state_outdated");
      assert.match(refusal.message, /_create_commit_compaction\.sql is not what/);
      assert.match(refusal.message, /sediment pull.*--reset/s);
      await using stack = await startStack({ ...bare, stateDir, migrations: false });
      await withSql(stack.adminDbUrl, async (sql) => {
        const versions = await history(sql);
        assert.equal(versions.length, 120);
        await sql`update supabase_migrations.schema_migrations
          set statements = statements[1:1] where name = 'create_commit_compaction'`;
      });
    });
    await t.step("one of the last tree goes on as if it had begun with the new files", async () => {
      await using stack = await startStack({ ...bare, stateDir });
      await withSql(stack.adminDbUrl, async (sql) => {
        const files = await migrationFiles(repositoryMigrations);
        assert.deepEqual(await history(sql), [
          "20200101000000",
          ...files.map((file) => file.slice(0, 14)),
        ]);
        const [{ datasets }] = await sql`select count(*)::int as datasets from public.datasets`;
        assert.equal(datasets, 1);
      });
      assert.deepEqual(
        stack.migrated,
        (await migrationFiles(repositoryMigrations)).slice(2).map((file) => file.slice(0, 14)),
      );
    });
  } finally {
    await Deno.remove(stateDir, { recursive: true });
    await Deno.remove(migrationsDir, { recursive: true });
  }
});

Deno.test("a migration that was edited after a database applied it is named at the next start", async () => {
  const stateDir = await Deno.makeTempDir();
  const migrationsDir = await migrationsFolder({
    "20260101000000_a.sql":
      "-- why\ncreate table public.a (id int);\n\ninsert into public.a values (1);\n",
    "20260102000000_b.sql": "create table public.b (id int);",
  });
  const start = () => startStack({ ...bare, stateDir, migrationsDir });
  try {
    await (await start()).stop();
    await Deno.writeTextFile(
      join(migrationsDir, "20260101000000_a.sql"),
      "-- why\ncreate table public.a (id int);\ninsert into public.a values (1);",
    );
    await (await start()).stop(); // white space is nobody's business
    await Deno.writeTextFile(
      join(migrationsDir, "20260102000000_b.sql"),
      "create table b (id int);",
    );
    await assert.rejects(start(), (error: SedimentError) => {
      assert.equal(error.code, "state_outdated");
      assert.match(error.message, /20260102000000_b\.sql was edited/);
      assert.doesNotMatch(error.message, /_a\.sql/);
      return true;
    });
  } finally {
    await Deno.remove(stateDir, { recursive: true });
    await Deno.remove(migrationsDir, { recursive: true });
  }
});

/**
 * Gives a database the history that it would have, had it been made before: a version for each file whose text is a
 * part of today's second migration.
 */
async function ageHistory(sql: Sql, catalog: string): Promise<void> {
  const text = await Deno.readTextFile(
    new URL("../../supabase/local/history/unsquashed.sha256", import.meta.url),
  );
  const old = text.trim().split("\n").map((line) => line.split("  ")[1]);
  const parts = new Map(
    catalog.split(/^-- schemas\//m).slice(1).map((part) => {
      const [path] = part.split("\n", 1);
      return [path.replace(/^.*\//, ""), part.slice(path.length + 1)];
    }),
  );
  assert.equal(parts.size, old.length - 1);
  await sql.begin(async (tx) => {
    await tx`delete from supabase_migrations.schema_migrations`;
    for (const file of old) {
      const [, version, name] = /^(\d{14})_(.*)\.sql$/.exec(file)!;
      const statement = parts.get(`${name.replace(/^create_/, "")}.sql`) ?? oldExtensions;
      await tx`insert into supabase_migrations.schema_migrations (version, name, statements)
        values (${version}, ${name}, ${[statement]})`;
    }
  });
}

async function withSql(url: string, work: (sql: Sql) => Promise<void>): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await work(sql);
  } finally {
    await sql.end();
  }
}
