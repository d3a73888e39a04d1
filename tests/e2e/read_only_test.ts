/**
 * The database takes no writes for a while, as a hosted one does whose disk is full. SEDIMENT_READ_ONLY_SECONDS is for how long.
 */
import { strict as assert } from "node:assert";
import type { CatalogWay } from "../../supabase/local/stack.ts";
import { until } from "../support/client.ts";
import { type FieldWorld, openFieldWorld } from "../support/field_world.ts";

const seconds = Number(Deno.env.get("SEDIMENT_READ_ONLY_SECONDS") ?? 4);

/** Sessions that are open know the old setting for ever. */
const endSessions = ({ sql }: FieldWorld) =>
  sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`;

Deno.test("a database that takes no writes for a while costs no file, no row and no attempt, and health says it", async (t) => {
  await t.step("over connections", () => readOnlyForAWhile("postgres"));
  await t.step("through PostgREST", () => readOnlyForAWhile("postgrest"));
});

async function readOnlyForAWhile(catalog: CatalogWay): Promise<void> {
  await using world = await openFieldWorld({ catalog });
  const { sql } = world;
  for (let n = 0; n < 12; n++) assert.equal(await world.send(`table_${n % 4}`), 200);

  // alter database, as Supabase does it: sessions that set it otherwise may write
  await sql`alter database postgres set default_transaction_read_only = on`;
  await endSessions(world);
  const back = Date.now() + seconds * 1000;
  await until("health says that nothing can be written", 30, async () => {
    await world.send("during");
    const { status, reasons } = await world.health();
    return status === 503 && reasons.includes("read_only");
  });
  do {
    await world.send("during");
    assert.equal((await world.health()).status, 503);
  } while (Date.now() < back);
  // PostgREST begins transactions as such that may write, so there the jobs alone stand still.
  if (catalog === "postgres") {
    assert.ok(world.waiting() > 0, "uploads are refused, to be sent again");
  }

  await sql`alter database postgres reset default_transaction_read_only`;
  await endSessions(world);
  await until("the database takes writes", 30, async () => await world.send("after") === 200);
  await world.sendAgain();
  await world.settles();
  if (catalog === "postgres") return; // nobody could write an alert
  const told = await until("the end is told", 30, async () => {
    const alerts =
      await sql`select class from public.alerts where class like 'read_only_%' order by id`;
    return alerts.length > 1 && alerts.map((alert) => alert.class);
  });
  assert.deepEqual(told, ["read_only_opened", "read_only_closed"]);
}
