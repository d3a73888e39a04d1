import { strict as assert } from "node:assert";
import { findSupabaseCli } from "../../supabase/local/parts/supabase_cli.ts";
import { startCluster, withClient } from "./cluster.ts";

/**
 * Names of what Supabase's advisors warn of. `db lint` is not run: it needs plpgsql_check, which the PostgreSQL from npm
 * has not (plpgsql_check_test.ts).
 */
async function warnings(databaseUrl: string): Promise<string[]> {
  const url = new URL(databaseUrl);
  // which schemas PostgREST serves, as hosted databases say it: without, the advisors look at none
  url.search = "?sslmode=disable&options=-c%20pgrst.db_schemas%3Dpublic";
  const { code, stdout, stderr } = await new Deno.Command(await findSupabaseCli(), {
    args: [
      ...["db", "advisors", "--db-url", url.href, "--level", "warn"],
      ...["--output-format", "json", "--agent", "no"],
    ],
    env: { DO_NOT_TRACK: "1", SUPABASE_TELEMETRY_DISABLED: "1" },
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const { results } = JSON.parse(new TextDecoder().decode(stdout)) as {
    results: { name: string; detail: string }[];
  };
  return results.map(({ name, detail }) => `${name}: ${detail}`);
}

Deno.test("Supabase's advisors warn of nothing in the catalog, and do of a table that anybody reads", async () => {
  await using cluster = await startCluster(17);
  const { url } = await cluster.newDatabase();
  assert.deepEqual(await warnings(url), []);
  await withClient(url, async (sql) => {
    await sql`create table public.open_to_all (id integer primary key)`;
    await sql`grant select on public.open_to_all to anon`;
  });
  const [first = "nothing"] = await warnings(url);
  assert.match(first, /^rls_disabled_in_public: .*open_to_all/);
});
