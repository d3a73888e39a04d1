import { strict as assert } from "node:assert";
import { missingDebianPostgres } from "./debian_postgres.ts";
import { type Cluster, startCluster, type TestDatabase } from "./cluster.ts";
import { runTapFile, tapFiles } from "./tap.ts";

Deno.test("there are pgTAP files to run", () => {
  assert.ok(tapFiles().length > 15);
});

Deno.test("pgTAP holds on PostgreSQL 17 from npm", async (t) => {
  await using cluster = await startCluster(17);
  await runAll(t, await cluster.newDatabase());
});

const missing = missingDebianPostgres(15);
if (missing) console.log(`skipped: pgTAP on PostgreSQL 15: ${missing}`);
Deno.test(
  { name: "pgTAP holds on the machine's PostgreSQL 15", ignore: missing !== undefined },
  async (t) => {
    await using cluster = await startCluster(15);
    await t.step("with the newest pgmq", async (t) => await runAll(t, await cluster.newDatabase()));
    for (const pgmq of ["1.4.4", "1.5.1"]) {
      await t.step(`with pgmq ${pgmq}`, async (t) => await runOld(t, cluster, pgmq));
    }
  },
);

/** The files whose functions call pgmq; the rest has nothing to do with its version. */
const queueFiles =
  /^(catalog_health|claim|commit|dead_letters|expire|fail|group|lease|messages|request|schema|sweep|tick|trigger)/;

async function runOld(t: Deno.TestContext, cluster: Cluster, pgmq: string): Promise<void> {
  await runAll(t, await cluster.newDatabase({ pgmq }), queueFiles);
}

async function runAll(t: Deno.TestContext, database: TestDatabase, only = /./): Promise<void> {
  for (const name of tapFiles().filter((file) => only.test(file))) {
    await t.step(name, async () => {
      const { failures } = await runTapFile(database.url, name);
      assert.equal(failures.join("\n"), "");
    });
  }
}
