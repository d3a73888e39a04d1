import { strict as assert } from "node:assert";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { groupUploads } from "../../../shared/catalog/group_uploads.ts";
import { createSqlCatalog } from "../../support/sql_catalog.ts";
import { startCluster } from "../cluster.ts";
import { compact, upload } from "./worker.ts";

const invariants = fileURLToPath(new URL("../../simulation/invariants.sql", import.meta.url));

Deno.test("groups of three isolates, some of whose answers are lost, store each body once beside a compactor", async () => {
  await using cluster = await startCluster(17);
  const { url } = await cluster.newDatabase();
  const sql = postgres(url, { max: 8, onnotice: () => {} });
  try {
    await sql`update service_settings set realtime_delay_seconds = 0`;
    const plain = createSqlCatalog(sql);
    let groups = 0;
    const isolates = Array.from({ length: 3 }, () =>
      groupUploads({
        ...plain,
        async groupUploadCalls(...args) {
          const answers = await plain.groupUploadCalls(...args);
          if (++groups % 4 === 0) throw new Error("the answer is lost");
          return answers;
        },
      }));
    const user = crypto.randomUUID();
    const datasets = [crypto.randomUUID(), crypto.randomUUID()];
    const stored = new Map<string, number>();
    const uploads = Promise.all(Array.from({ length: 120 }, async (_, n) => {
      // Slices in any order; each tenth body is sent by several.
      const tables = ["a", "b", "c"].filter((_, t) => (n + t) % 3 > 0);
      if (n % 2) tables.reverse();
      const again = n % 10 === 0;
      const answer = await upload(isolates[n % 3], {
        user,
        dataset: datasets[n % 2],
        body: again ? "again" : String(n),
        tables: again ? ["a"] : tables,
      });
      stored.set(answer.key, again ? 1 : tables.length);
    }));
    let done = false;
    const compactor = (async () => {
      while (!done) {
        const claim = await plain.claimCompaction({ worker: "w" });
        if (claim.claimed) await compact(plain, claim);
      }
    })();
    await uploads.finally(() => done = true);
    await compactor;

    assert.ok(groups >= 4, "no answer was lost");
    const slices = [...stored.values()].reduce((sum, files) => sum + files, 0);
    const [found] = await sql`
      select (select count(*) from uploads)::int as uploads,
        (select sum(row_count) from battle_files where removed_version is null)::int as rows`;
    assert.deepEqual({ ...found }, { uploads: stored.size, rows: slices * 10 });
    assert.equal(stored.size, 109);
    const broken = await sql.unsafe(await Deno.readTextFile(invariants), ["1 hour"]);
    assert.deepEqual(broken.map(({ invariant, what }) => `${invariant}: ${what}`), []);
  } finally {
    await sql.end();
  }
});
