import { strict as assert } from "node:assert";
import { neededSchema } from "../../shared/catalog/require_schema.ts";
import { readCallables } from "../../supabase/migrate/released.ts";
import { brokenCalls, readReleased } from "./broken_calls.ts";
import { startCluster, withClient } from "./cluster.ts";

Deno.test("what the functions of the last release call is there, and the schema is what today's need", async () => {
  await using cluster = await startCluster(17);
  const { url } = await cluster.newDatabase();
  await withClient(url, async (sql) => {
    const today = await readCallables(sql);
    assert.deepEqual(brokenCalls(await readReleased(), today), []);
    assert.deepEqual(today.claim_compaction, {
      arguments: { p_worker: "text", p_lease_seconds: "integer" },
      optional: ["p_lease_seconds"],
    });
    const [{ version }] = await sql`select public.schema_version() as version`;
    assert.equal(version, neededSchema, "schema_version.sql and require_schema.ts rise together");
  });
});

Deno.test("a function that is gone, another type, and a new demand break a release's calls; more to take does not", () => {
  const released = { a: { arguments: { p_x: "text", p_y: "uuid" }, optional: ["p_y"] } };
  const withNow = (args: Record<string, string>, optional: string[]) =>
    brokenCalls(released, { a: { arguments: args, optional } });
  assert.deepEqual(brokenCalls(released, {}), ["a is gone"]);
  assert.deepEqual(withNow({ p_x: "text", p_y: "uuid", p_z: "text" }, ["p_y", "p_z"]), []);
  assert.deepEqual(withNow({ p_x: "text", p_y: "uuid" }, ["p_x", "p_y"]), []);
  assert.deepEqual(withNow({ p_x: "integer", p_y: "uuid" }, ["p_y"]), [
    "a takes no p_x of type text any more",
  ]);
  assert.deepEqual(withNow({ p_x: "text" }, []), ["a takes no p_y of type uuid any more"]);
  assert.deepEqual(withNow({ p_x: "text", p_y: "uuid" }, []), [
    "a demands p_y, which the release may leave out",
  ]);
  assert.deepEqual(withNow({ p_x: "text", p_y: "uuid", p_z: "text" }, ["p_y"]), [
    "a demands p_z, which the release may leave out",
  ]);
});
