import { strict as assert } from "node:assert";
import {
  applyMigrations as pushMigrations,
  migrationFiles,
  repositoryMigrations,
} from "../../supabase/local/migrate.ts";
import { compareDatabases } from "../../supabase/migrate/compare.ts";
import { unreviewed } from "../../supabase/migrate/draft.ts";
import { readFacts } from "../../supabase/migrate/facts.ts";
import { landedFaults, landedOnMain, readLanded, sha256 } from "../../supabase/migrate/landed.ts";
import { runMigrations, runSchemas } from "../../supabase/migrate/run_files.ts";
import { schemaFiles } from "../../supabase/migrate/schema_files.ts";
import { startCluster, withClient } from "./cluster.ts";
import { missingDebianPostgres } from "./debian_postgres.ts";

Deno.test("the migrations make what the schemas say, and nothing else", async () => {
  await using cluster = await startCluster(17);
  const migrated = await cluster.newDatabase();
  const declared = await cluster.newDatabase({ migrated: false });
  await withClient(declared.url, runSchemas);
  for (const [from, to] of [[migrated, declared], [declared, migrated]]) {
    const { actions, facts } = await compareDatabases(from.url, to.url);
    assert.deepEqual(
      { actions: actions.map(({ sql }) => sql), facts },
      { actions: [], facts: [] },
      "`deno task migration NAME` drafts what is missing",
    );
  }
});

Deno.test("running every schema file on what the migrations made changes nothing", async () => {
  await using cluster = await startCluster(17);
  const [before, after] = [await cluster.newDatabase(), await cluster.newDatabase()];
  for (const { url } of [before, after]) {
    await withClient(url, async (sql) => {
      await sql`update service_settings set max_workers = 7`;
      await sql`update storage.buckets set file_size_limit = 5 where id = 'sediment'`;
      await sql`select pgmq.send('compaction_manual', '{"kept": true}'::jsonb)`;
    });
  }
  await withClient(after.url, runSchemas);
  assert.deepEqual(await compareDatabases(before.url, after.url), { actions: [], facts: [] });
  const [{ messages }] = await withClient(
    after.url,
    (sql) => sql`select count(*)::int as messages from pgmq.q_compaction_manual`,
  );
  assert.equal(messages, 1);
});

Deno.test("a migration has a number of its own, says what it brings, and gives up on a lock that it can't have", async () => {
  const files = await migrationFiles(repositoryMigrations);
  const versions = files.map((file) => file.split("_", 1)[0]);
  assert.equal(new Set(versions).size, files.length);
  for (const file of files) {
    assert.match(file, /^\d{14}_[a-z][a-z0-9]*(_[a-z0-9]+)+\.sql$/);
    const text = await Deno.readTextFile(`${repositoryMigrations}/${file}`);
    assert.ok(text.startsWith("--") && !text.startsWith(unreviewed), file);
    const [first, ...others] = text.replace(/^--.*$/gm, "").split(";").map((part) => part.trim());
    if (/\bconcurrently\b/i.test(first)) {
      assert.deepEqual(others, [""], `${file}: nothing beside what no transaction allows`);
    } else assert.match(first, /^set local lock_timeout = '\d+s'$/, file);
  }
});

/** Helpers that a migration drops and makes anew under the same name: a call of before that waits would call the new one. */
function helpersMadeAnew(text: string): string[] {
  return [...text.matchAll(/^drop function (?:if exists )?"?sediment"?\."?(\w+)"?\(/gim)].map((
    [, name],
  ) => name)
    .filter((name) =>
      new RegExp(`^create (?:or replace )?function "?sediment"?\\."?${name}"?\\(`, "im").test(text)
    );
}

Deno.test("a helper that answers or takes something else has another name", async () => {
  const drop = 'DROP FUNCTION "sediment"."a"(integer);\n';
  assert.deepEqual(helpersMadeAnew(`${drop}CREATE OR REPLACE FUNCTION sediment.a(p integer)`), [
    "a",
  ]);
  assert.deepEqual(helpersMadeAnew(`${drop}CREATE OR REPLACE FUNCTION sediment.ab(p integer)`), []);
  const files = await migrationFiles(repositoryMigrations);
  // before that day some did
  for (const file of files.filter((name) => name >= "20261201")) {
    assert.deepEqual(
      helpersMadeAnew(await Deno.readTextFile(`${repositoryMigrations}/${file}`)),
      [],
      file,
    );
  }
  const before = await Promise.all(
    files.map((file) => Deno.readTextFile(`${repositoryMigrations}/${file}`)),
  );
  assert.ok(
    before.some((text) => helpersMadeAnew(text).includes("write_commits")),
    "as the drafts write it",
  );
});

Deno.test("no migration that has landed was changed, and what has not landed comes after it", async () => {
  const listed = await readLanded();
  assert.ok(listed.size >= 2);
  assert.deepEqual(await landedFaults(listed), []);
  assert.deepEqual(await landedFaults(await landedOnMain(listed)), []);
});

Deno.test("an edit of what has landed, its loss, and a migration before it are faults", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const write = (file: string, text: string) => Deno.writeTextFile(`${folder}/${file}`, text);
    await write("20260101000000_a_b.sql", "select 1;");
    await write("20260102000000_a_b.sql", "select 2;");
    const landed = new Map(
      [["20260102000000_a_b.sql", "select 2;"], ["20260103000000_a_b.sql", "select 3;"]]
        .map(([file, text]) => [file, sha256(text)]),
    );
    await write("20260104000000_a_b.sql", "select 4;");
    const faults = await landedFaults(landed, folder);
    assert.deepEqual(faults.map((fault) => fault.replace(/ .*/, "")), [
      "20260103000000_a_b.sql",
      "20260101000000_a_b.sql",
    ]);
    await write("20260102000000_a_b.sql", "select 2 ;");
    assert.match((await landedFaults(landed, folder))[0], /^20260102.* was changed/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

for (const major of [15, 17] as const) {
  const missing = major === 15 ? missingDebianPostgres(major) : undefined;
  if (missing) console.log(`skipped: migrations on PostgreSQL ${major}: ${missing}`);
  Deno.test({
    name: `db push brings the migrations to PostgreSQL ${major} where the search_path is empty`,
    ignore: missing !== undefined,
    async fn() {
      await using cluster = await startCluster(major);
      const [usual, emptied] = [
        await cluster.newDatabase(),
        await cluster.newDatabase({ migrated: false }),
      ];
      const stateDir = await Deno.makeTempDir();
      try {
        await withClient(emptied.url, async (sql) => {
          const [{ is_superuser, name }] = await sql`
            select current_setting('is_superuser') as is_superuser, current_database() as name`;
          assert.equal(is_superuser, "off");
          // as pgmq's own script may leave it, of every transaction that the CLI opens
          await sql.unsafe(`alter role postgres in database ${name} set search_path = ''`);
          await pushMigrations({
            migrationsDir: repositoryMigrations,
            stateDir,
            databaseUrl: emptied.url,
            sql,
          });
        });
      } finally {
        await Deno.remove(stateDir, { recursive: true });
      }
      assert.deepEqual(
        await withClient(emptied.url, readFacts),
        await withClient(usual.url, readFacts),
      );
    },
  });
}

Deno.test("where a project grants everybody whatever is new, the migrations leave the same rights", async () => {
  await using cluster = await startCluster(17);
  const [usual, generous] = [
    await cluster.newDatabase(),
    await cluster.newDatabase({ migrated: false }),
  ];
  await withClient(generous.url, async (sql) => {
    for (const kind of ["tables", "sequences", "functions"]) {
      await sql.unsafe(`alter default privileges in schema public
        grant all on ${kind} to anon, authenticated, service_role`);
    }
    await runMigrations(sql);
  });
  const rights = (url: string) =>
    withClient(url, async (sql) => [
      ...await sql`
        select c.oid::regclass::text as name, r.role, p.privilege
        from pg_class c,
          (values ('anon'), ('authenticated'), ('service_role')) as r(role),
          (values ('select'), ('insert'), ('update'), ('delete'), ('truncate')) as p(privilege)
        where c.relnamespace in ('public'::regnamespace, 'sediment'::regnamespace) and c.relkind in ('r', 'v')
          and has_table_privilege(r.role, c.oid, p.privilege)
        union all
        select f.oid::regprocedure::text, r.role, 'execute'
        from pg_proc f, (values ('anon'), ('authenticated'), ('service_role')) as r(role)
        where f.pronamespace in ('public'::regnamespace, 'sediment'::regnamespace)
          and has_function_privilege(r.role, f.oid, 'execute')
        union all
        select c.oid::regclass::text, r.role, p.privilege
        from pg_class c, (values ('anon'), ('authenticated')) as r(role),
          (values ('usage'), ('select'), ('update')) as p(privilege)
        where c.relnamespace in ('public'::regnamespace, 'sediment'::regnamespace) and c.relkind = 'S'
          and has_sequence_privilege(r.role, c.oid, p.privilege)
        order by 1, 2, 3`,
    ]);
  assert.deepEqual(await rights(generous.url), await rights(usual.url));
});

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
