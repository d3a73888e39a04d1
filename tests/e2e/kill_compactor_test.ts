import { strict as assert } from "node:assert";
import { join } from "node:path";
import postgres from "postgres";
import { createCatalog } from "../../shared/catalog/catalog.ts";
import { systemClock } from "../../shared/clock.ts";
import { checkStore } from "../../shared/compaction/upkeep/check_store.ts";
import { createSupabaseStore } from "../../shared/storage/supabase_store.ts";
import { startStack } from "../../supabase/local/stack.ts";
import { call, sha256, signUp, until, uploadForm } from "../support/client.ts";
import { startCompactor } from "../support/compactor_process.ts";
import { multisetDifference, openDuckdb, readParquet } from "../support/duckdb.ts";
import { makeFragments } from "../support/fragments.ts";
import { serviceClient } from "../support/stack.ts";

const kills = 20;
/** Short, so that what was killed is free again within the test. */
const briefly = { SEDIMENT_LEASE_SECONDS: "1" };

Deno.test("a compactor killed at 20 moments under load loses no row and leaves nothing behind", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sediment-kill20-" });
  const duckdb = await openDuckdb();
  const stack = await startStack({ cronSeconds: { sediment_sweep: 0.5, sediment_leases: 0.5 } });
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  let compactor: Awaited<ReturnType<typeof startCompactor>> | undefined;
  try {
    // No worker but the one that is killed; it may die on one partition again and again.
    // A commit extends the lease by the setting: as short as what the worker asks for.
    await sql`update public.service_settings set max_workers = 0, max_attempts = 1000, lease_seconds = 1,
      realtime_delay_seconds = 0, backoff_base_seconds = 1, backoff_cap_seconds = 1,
      idle_recheck_seconds = 1, min_inputs = 2`;
    const user = await signUp(stack, "kill20@example.com");
    const dataset = crypto.randomUUID();
    const fragments = await makeFragments(folder, 4 * kills, 200, undefined, duckdb);
    const upload = async (index: number) => {
      const { path, table, periodTag } = fragments[index];
      const bytes = await Deno.readFile(path);
      const answer = await call(stack, "POST", "/battle-data/upload", {
        headers: user.headers,
        body: uploadForm({
          dataset_id: dataset,
          table,
          period_tag: periodTag,
          file_size: bytes.length,
          content_hash: sha256(bytes),
        }, bytes),
      });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
    };

    const tokens = async () =>
      (await sql`select coalesce(sum(token), 0)::int as all from public.partitions`)[0].all;
    let sent = 0;
    for (let kill = 0; kill < kills; kill++) {
      const before = await tokens();
      compactor = await startCompactor(stack, briefly);
      const load = (async () => {
        for (let n = 0; n < 4; n++) await upload(sent++);
      })();
      // Every second time it holds a lease by then, unless there is nothing to do; how soon depends on the machine.
      for (let look = 0; kill % 2 === 1 && look < 500 && await tokens() === before; look++) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await new Promise((resolve) => setTimeout(resolve, (kill * 137) % 400));
      await compactor.kill();
      await load;
    }
    const [stormed] = await sql`select max(token)::int as tokens,
      (select count(*)::int from public.run_commits) as commits from public.partitions`;

    // Nobody kills this one: its turns may take as long as they do here.
    await sql`update public.service_settings set lease_seconds = 60`;
    compactor = await startCompactor(stack, { SEDIMENT_LEASE_SECONDS: "60" });
    const asked = await call(stack, "POST", "/compaction", {
      headers: user.headers,
      json: { datasetId: dataset },
    });
    assert.equal(asked.status, 202, JSON.stringify(asked.body));
    await until("rest", 60, async () => {
      const [left] = await sql`
        select (select count(*) from sediment.queue_messages)
          + (select count(*) from public.partitions where lease_expires_at is not null
              or msg_id is not null or debt_files > 0 or dead_since is not null) as left`;
      return Number(left.left) === 0;
    });
    await compactor.kill();
    compactor = undefined;

    const [flags] = await sql`
      select compaction_needed, compaction_in_progress from public.dataset_status`;
    assert.deepEqual({ ...flags }, { compaction_needed: false, compaction_in_progress: false });
    assert.equal((await sql`select 1 from public.dead_letters`).length, 0);
    assert.ok(stormed.tokens > 1, "no kill ever met a lease: the test shows nothing");

    const { body } = await call(
      stack,
      "GET",
      `/battle-data/latest?dataset_id=${dataset}&limit=1000`,
      { headers: user.headers },
    );
    const paths: Record<string, string[]> = {};
    for (const [index, file] of body.files.entries()) {
      const path = join(folder, `visible-${index}.parquet`);
      await Deno.writeFile(path, await (await fetch(file.url)).bytes());
      (paths[file.table] ??= []).push(path);
    }
    for (const table of new Set(fragments.map((fragment) => fragment.table))) {
      const uploaded = fragments.filter((fragment) => fragment.table === table);
      const difference = await multisetDifference(
        duckdb,
        readParquet(uploaded.map(({ path }) => path)),
        readParquet(paths[table]),
      );
      assert.deepEqual(difference, { onlyLeft: 0, onlyRight: 0 }, table);
    }
    const report = await checkStore({
      catalog: createCatalog(serviceClient(stack)),
      store: createSupabaseStore({
        url: stack.url,
        secretKey: stack.secretKey,
        bucket: "sediment",
      }),
      clock: systemClock,
    }, { seconds: 60, full: true });
    assert.deepEqual(report.found, []);
    assert.equal(report.stopped, "done");
  } finally {
    await compactor?.kill();
    await sql.end();
    await stack.stop();
    duckdb.closeSync();
    await Deno.remove(folder, { recursive: true });
  }
});
