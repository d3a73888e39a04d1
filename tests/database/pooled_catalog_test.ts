/** What connectCatalog says of poolers, on one. */
import { strict as assert } from "node:assert";
import { fileURLToPath } from "node:url";
import { connectCatalog } from "../../shared/catalog/connect_catalog.ts";
import { groupUploads } from "../../shared/catalog/group_uploads.ts";
import { thrownBy } from "../support/thrown_by.ts";
import { startCluster, type TestDatabase, withClient } from "./cluster.ts";
import { compact, upload } from "./concurrency/worker.ts";
import { hasPgbouncer, startPgbouncer } from "./pgbouncer.ts";

const invariants = fileURLToPath(new URL("../simulation/invariants.sql", import.meta.url));
const present = hasPgbouncer();
if (!present) console.log("skipped: the catalog over a pooler: no PgBouncer is installed");

Deno.test({ name: "over a pooler in transaction mode", ignore: !present }, async (t) => {
  await using cluster = await startCluster(17);

  for (const query of ["?prepare=false", ""]) {
    await t.step(
      `isolates store each body once beside a compactor, with '${query}' in the URL`,
      async () => {
        const database = await cluster.newDatabase();
        // Fewer servers than clients: transactions of one connection go to several.
        await using pooler = await startPgbouncer(database.url, { default_pool_size: 3 });
        await storeAndCompact(database, `${pooler.url}${query}`);
      },
    );
  }

  await t.step(
    "settings in the URL are refused, and if the pooler ignores them without effect",
    async () => {
      const { url } = await cluster.newDatabase();
      await withClient(url, (sql) =>
        sql.unsafe(
          `create or replace function public.catalog_health() returns jsonb language plpgsql as $$
        begin raise exception using errcode = 'SD400', message = 'invalid_request',
          detail = current_user || ' ' || current_setting('statement_timeout'); end $$`,
        ));
      const told = async (url: string) => {
        const { catalog, close } = connectCatalog(url);
        const thrown = await thrownBy(catalog.catalogHealth({}));
        await close();
        return `${thrown.code} ${thrown.message}`;
      };
      const query = "?role=service_role&statement_timeout=1234";
      {
        await using pooler = await startPgbouncer(url);
        assert.match(await told(pooler.url + query), /^misconfigured .*startup parameter/);
        const wrong = new URL(pooler.url);
        wrong.password = "wrong";
        assert.match(await told(wrong.href), /^misconfigured /);
      }
      await using pooler = await startPgbouncer(url, {
        ignore_startup_parameters: "role, statement_timeout",
      });
      assert.equal(await told(pooler.url + query), "invalid_request postgres 0");
      // The login's own setting is one of the server, which is there before the pooler.
      await withClient(
        url,
        (sql) => sql.unsafe(`alter role postgres set statement_timeout = 4321`),
      );
      try {
        await using pooler = await startPgbouncer(url);
        assert.equal(await told(pooler.url), "invalid_request postgres 4321ms");
      } finally {
        await withClient(url, (sql) => sql.unsafe(`alter role postgres reset statement_timeout`));
      }
    },
  );

  await t.step(
    "a call whose statement is on another server keeps its arguments and its error",
    async () => {
      const { url } = await cluster.newDatabase();
      await using pooler = await startPgbouncer(url, { default_pool_size: 4 });
      const [owner, user, dataset] = [0, 0, 0].map(() => crypto.randomUUID());
      const all = Array.from({ length: 6 }, () => connectCatalog(pooler.url));
      const details = { list: [1, "two"], text: '"' };
      const stage = {
        user: owner,
        dataset,
        table: "a",
        periodTag: "0",
        size: 9,
        contentHash: "ab".repeat(32),
        offsetsDigest: "",
        kind: "direct_fragment",
        details,
      };
      await withClient(
        url,
        (sql) => sql`insert into datasets (id, user_id) values (${dataset}, ${owner})`,
      );
      await Promise.all(all.map(async ({ catalog, close }) => {
        for (let n = 0; n < 10; n++) {
          const { stage_id } = await catalog.stageUpload(stage);
          const kept = await catalog.getUpload({ stage: stage_id, user: owner });
          assert.deepEqual(kept.details, details);
          await assert.rejects(catalog.stageUpload({ ...stage, user }), {
            code: "dataset_forbidden",
          });
        }
        await close();
      }));
    },
  );

  await t.step(
    "a pooler without a server to give is catalog_failed, and then it works",
    async () => {
      const { url } = await cluster.newDatabase();
      await using pooler = await startPgbouncer(url, {
        default_pool_size: 1,
        query_wait_timeout: 1,
      });
      const { catalog, close } = connectCatalog(pooler.url);
      const keys: string[] = [];
      await withClient(pooler.url, async (sql) => {
        await sql`begin`; // has the one server
        await assert.rejects(catalog.findObjects({ keys }), { code: "catalog_failed" });
        await sql`rollback`;
      });
      await catalog.findObjects({ keys });
      await close();
    },
  );
});

async function storeAndCompact({ adminUrl }: TestDatabase, url: string): Promise<void> {
  const isolates = Array.from({ length: 4 }, () => connectCatalog(url));
  const catalogs = isolates.map(({ catalog }) => groupUploads(catalog));
  const compactor = connectCatalog(url);
  try {
    await withClient(
      adminUrl,
      (sql) => sql`update service_settings set realtime_delay_seconds = 0`,
    );
    const user = crypto.randomUUID();
    const datasets = [crypto.randomUUID(), crypto.randomUUID()];
    let done = false;
    const compacting = (async () => {
      while (!done) {
        const claim = await compactor.catalog.claimCompaction({ worker: "w" });
        if (claim.claimed) await compact(compactor.catalog, claim);
      }
    })();
    const stored = new Map<string, number>();
    await Promise.all(Array.from({ length: 120 }, async (_, n) => {
      const body = n % 10 === 0 ? "again" : String(n);
      const tables = body === "again" ? ["a"] : ["a", "b", "c"].slice(n % 3);
      const dataset = datasets[n % 2];
      const answer = await upload(catalogs[n % 4], { user, dataset, body, tables });
      stored.set(answer.key, tables.length);
    })).finally(() => done = true);
    await compacting;
    const slices = [...stored.values()].reduce((sum, files) => sum + files, 0);
    assert.equal(stored.size, 109);
    await withClient(adminUrl, async (sql) => {
      const [found] = await sql`
        select (select count(*) from uploads)::int as uploads,
          (select sum(row_count) from battle_files where removed_version is null)::int as rows`;
      assert.deepEqual({ ...found }, { uploads: stored.size, rows: slices * 10 });
      const broken = await sql.unsafe(await Deno.readTextFile(invariants), ["1 hour"]);
      assert.deepEqual(broken.map(({ invariant, what }) => `${invariant}: ${what}`), []);
    });
  } finally {
    await Promise.all([...isolates, compactor].map(({ close }) => close()));
  }
}
