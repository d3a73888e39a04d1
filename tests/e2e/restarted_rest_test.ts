/** PostgREST goes away and comes back under uploads and compaction. SEDIMENT_REST_SECONDS is for how long. */
import { strict as assert } from "node:assert";
import { join } from "node:path";
import { findPostgrest } from "../../supabase/local/parts/postgrest.ts";
import { cacheFolder } from "../../supabase/local/parts/cache_folder.ts";
import { until } from "../support/client.ts";
import { openFieldWorld } from "../support/field_world.ts";

const seconds = Number(Deno.env.get("SEDIMENT_REST_SECONDS") ?? 4);

Deno.test("a PostgREST that is restarted costs no file, no row and no attempt, and health says it", async () => {
  await using world = await openFieldWorld({ catalog: "postgrest" });
  const { stack } = world;
  for (let n = 0; n < 12; n++) assert.equal(await world.send(`table_${n % 4}`), 200);

  Deno.kill(stack.pids.postgrest, "SIGTERM");
  await stack.failed;
  const back = Date.now() + seconds * 1000;
  do {
    assert.notEqual(await world.send("during"), 200);
    assert.equal((await world.health()).status, 503);
  } while (Date.now() < back);

  const again = new Deno.Command(
    await findPostgrest({ cacheDir: await cacheFolder(stack.stateDir) }),
    {
      args: [join(stack.stateDir, "postgrest.conf")],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    },
  ).spawn();
  try {
    await until("PostgREST answers again", 30, async () => await world.send("after") === 200);
    await world.sendAgain();
    await world.settles();
  } finally {
    again.kill("SIGTERM");
    await again.status;
  }
});
