import { strict as assert } from "node:assert";
import { longOnes, longQuietCall, quietCall } from "../../shared/catalog/quiet_refusals.ts";
import { results } from "../../shared/catalog/results.ts";
import { startCluster, withClient } from "./cluster.ts";
import { typesFile, typesHeader } from "./generate_types.ts";
import { schemaShape } from "./shape.ts";

Deno.test("the committed types and methods are those of the migrations", async (t) => {
  await using cluster = await startCluster(17);
  const { url } = await cluster.newDatabase();

  await t.step("database.types.ts was generated from the migrations as they are", async () => {
    const shape = await withClient(url, schemaShape);
    const text = await Deno.readTextFile(typesFile);
    assert.ok(text.startsWith(typesHeader(shape)), "stale: run `deno task types` and commit it");
  });

  await t.step("every SQL function of the API has a method, and every method one", async () => {
    const rows = await withClient(
      url,
      (sql) => sql`select proname as name from pg_proc where pronamespace = 'public'::regnamespace`,
    );
    const methods = Object.keys(results)
      .map((method) => method.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
    // the ways by which others are called
    const names = rows.map((row) => row.name)
      .filter((name) => name !== quietCall && name !== longQuietCall);
    assert.deepEqual(names.sort(), methods.sort());
  });

  await t.step("what users ask for that has a time of its own is called with it", async () => {
    const rows = await withClient(
      url,
      (sql) =>
        sql`select proname as name from pg_proc where pronamespace = 'public'::regnamespace
          and 'p_user' = any (proargnames) and proconfig::text like '%statement_timeout%'`,
    );
    assert.deepEqual(rows.map((row) => row.name).sort(), [...longOnes].sort());
  });
});
