/** `supabase db lint` is plpgsql_check over all functions: done here where the extension is on the machine. */
import { strict as assert } from "node:assert";
import { startCluster, withClient } from "./cluster.ts";
import { missingDebianPostgres } from "./debian_postgres.ts";

function missingCheck(): string | undefined {
  const path = "/usr/share/postgresql/15/extension/plpgsql_check.control";
  try {
    Deno.statSync(path);
  } catch {
    return `${path} is not here (apt-get install postgresql-15-plpgsql-check)`;
  }
}

/** The name of a function's output that our own words ask for: columns of that name are quoted everywhere. */
const ourWord = /^sediment\.parse_message\(.*"table" is reserved keyword/;

/** A sentence for each thing that plpgsql_check finds in our functions. */
async function findings(url: string): Promise<string[]> {
  return await withClient(url, async (sql) => {
    const rows = await sql`
      select p.oid::regprocedure::text as function, c.lineno, c.level, c.sqlstate, c.message, c.detail, c.query
      from pg_proc p
      join pg_language l on l.oid = p.prolang and l.lanname = 'plpgsql'
      left join pg_trigger t on t.tgfoid = p.oid
      cross join lateral plpgsql_check_function_tb(p.oid, coalesce(t.tgrelid, 0::oid)) c
      where p.pronamespace in ('public'::regnamespace, 'sediment'::regnamespace)
        and not exists (select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e')
      order by 1, 2`;
    return rows.map((row) =>
      `${row.function} line ${row.lineno}: ${row.level} ${row.sqlstate} ${row.message}` +
      (row.detail === null ? "" : ` (${row.detail})`)
    ).filter((finding) => !ourWord.test(finding));
  });
}

const missing = missingDebianPostgres(15) ?? missingCheck();
if (missing) console.log(`skipped: plpgsql_check: ${missing}`);
Deno.test({
  name: "plpgsql_check finds nothing in our functions, and does in one that is wrong",
  ignore: missing !== undefined,
}, async () => {
  await using cluster = await startCluster(15);
  const { url, adminUrl } = await cluster.newDatabase();
  await withClient(adminUrl, async (sql) => {
    await sql`create extension plpgsql_check`;
    // as db push leaves it: who asks for the migrations looks first whether it is there
    await sql`create schema supabase_migrations`;
    await sql`create table supabase_migrations.schema_migrations (version text primary key)`;
  });
  assert.deepEqual(await findings(url), []);
  await withClient(url, (sql) =>
    sql`
    create function public.wrong() returns void language plpgsql as $$
    begin perform 1 from public.no_such_table; end $$`);
  assert.match((await findings(url)).join("\n"), /wrong\(\).*no_such_table/);
});
