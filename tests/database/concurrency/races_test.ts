import { strict as assert } from "node:assert";
import postgres, { type Sql } from "postgres";
import { fileURLToPath } from "node:url";
import { createSqlCatalog } from "../../support/sql_catalog.ts";
import type { SedimentError } from "../../../shared/errors.ts";
import { schemaSource } from "../schema_source.ts";
import { type Cluster, startCluster } from "../cluster.ts";
import { compact, stageOutput, upload } from "./worker.ts";

let cluster: Cluster;
let sql: Sql;
Deno.test.beforeAll(async () => {
  cluster = await startCluster(17);
});
Deno.test.afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});
Deno.test.beforeEach(async () => {
  const { url } = await cluster.newDatabase();
  sql = postgres(url, { max: 8, onnotice: () => {} });
  await sql`
    update service_settings set realtime_delay_seconds = 0, backoff_base_seconds = 1, max_workers = 64`;
  // What waits is not known, so that each upload makes a run.
  await sql.unsafe(`
    create function forget_waiting() returns trigger language plpgsql as $$
    begin
      new.tier_files := null;
      if new.next_run_id is not null then new.due_at := '-infinity'; end if;
      return new;
    end $$;
    create trigger forget_waiting before insert on partitions for each row execute function forget_waiting()`);
});
Deno.test.afterEach(async () => {
  await sql.end();
});

const user = crypto.randomUUID();
const newDataset = () => crypto.randomUUID();

Deno.test("of eight that send one body at once, one is acknowledged and all get its answer", async () => {
  const catalog = createSqlCatalog(sql);
  const dataset = newDataset();
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => upload(catalog, { user, dataset, body: "one", tables: ["a"] })),
  );
  assert.equal(answers.filter((answer) => !answer.duplicate).length, 1);
  assert.equal(new Set(answers.map((answer) => answer.key)).size, 1);
  const [count] = await sql`
    select (select count(*) from battle_files)::int as files,
      (select count(*) from objects where state = 'stored')::int as stored,
      (select count(*) from objects where state = 'deleting')::int as deleting`;
  assert.deepEqual({ ...count }, { files: 1, stored: 1, deleting: 7 });
  assert.deepEqual(await violations(sql), []);
});

Deno.test("eight workers lease twenty partitions, each once", async () => {
  const catalog = createSqlCatalog(sql);
  const dataset = newDataset();
  const tables = Array.from({ length: 20 }, (_, i) => `t${i}`);
  await upload(catalog, { user, dataset, body: "many", tables });
  const seen: string[] = [];
  await Promise.all(Array.from({ length: 8 }, async (_, worker) => {
    while (true) {
      const claim = await catalog.claimCompaction({ worker: `w${worker}` });
      if (!claim.claimed) {
        if (claim.reason === "empty") return;
        continue;
      }
      seen.push(claim.table);
    }
  }));
  assert.deepEqual(seen.sort(), tables.sort());
});

Deno.test("an upload between a run's list and its commit is seen by the next run", async () => {
  const catalog = createSqlCatalog(sql);
  const dataset = newDataset();
  const first = await upload(catalog, { user, dataset, body: "1", tables: ["a"] });
  const claim = await claimed(catalog);
  const second = await upload(catalog, { user, dataset, body: "2", tables: ["a"] });
  assert.equal(first.metricId, claim.run_id);
  assert.notEqual(second.metricId, claim.run_id, "it must not be told that this run will see it");
  const commit = await compact(catalog, claim);
  assert.equal(commit.requeued, true);
  const next = await claimed(catalog);
  assert.equal(next.run_id, second.metricId);
  assert.equal(next.files.length, 2);
  assert.deepEqual(await violations(sql), []);
});

Deno.test("an upload that is not yet committed when its partition is claimed is not lost", async () => {
  const catalog = createSqlCatalog(sql);
  const dataset = newDataset();
  await upload(catalog, { user, dataset, body: "1", tables: ["a"] });
  const slow = await sql.reserve();
  await slow`begin`;
  await upload(createSqlCatalog(slow), { user, dataset, body: "2", tables: ["a"] });
  const refused = await catalog.claimCompaction({ worker: "w" });
  assert.equal(refused.claimed, false, "the upload holds the partition");
  await slow`commit`;
  slow.release();
  assert.equal((await claimed(catalog)).files.length, 2);
});

Deno.test("an answer that was lost is given again, also to two that ask at once", async () => {
  const catalog = createSqlCatalog(sql);
  await upload(catalog, { user, dataset: newDataset(), body: "1", tables: ["a"] });
  const claim = await claimed(catalog);
  const output = await stageOutput(catalog, claim, claim.files);
  const ask = () =>
    catalog.commitCompaction({
      run: claim.run_id,
      n: 0,
      token: claim.token,
      inputs: claim.files.map((file) => file.id),
      output,
      last: true,
      result: null,
    });
  const answers = await Promise.all([ask(), ask(), ask()]);
  assert.deepEqual(answers.map((answer) => answer.replayed).sort(), [false, true, true]);
  assert.equal(new Set(answers.map((answer) => answer.version)).size, 1);
});

Deno.test("without the order of locks two uploads of opposite slices deadlock, with it they don't", async () => {
  const dataset = newDataset();
  const sorted = `order by f.dataset_id, f."table", f.period_tag\n    for no key update of x;`;
  const text = await schemaSource("write_commits");
  assert.ok(text.includes(sorted));
  const mutant = text.replace(
    sorted,
    `order by (select f.ordinal from unnest(v_files) as f where f."table" = x."table")
      for no key update of x;`,
  );
  const catalog = createSqlCatalog(sql);
  await upload(catalog, { user, dataset, body: "0", tables: ["a", "b"] });
  const outcome = async (round: string) => {
    // whoever wants b first waits for it; the other comes second, holding a when it goes by its slices
    const holder = await sql.reserve();
    await holder`begin`;
    await holder`select 1 from partitions where "table" = 'b' for no key update`;
    const both = [];
    for (const tables of [["b", "a"], ["a", "b"]]) {
      both.push(upload(catalog, { user, dataset, body: round + tables, tables }));
      await waiting(sql, both.length);
    }
    await holder`commit`;
    holder.release();
    const results = await Promise.allSettled(both);
    return results.map((result) =>
      result.status === "fulfilled" ? "done" : (result.reason as SedimentError).message
    );
  };
  assert.deepEqual(await outcome("sorted"), ["done", "done"]);
  await sql.unsafe(mutant);
  const said = await outcome("unsorted");
  assert.ok(said.some((what) => /40P01/.test(what)), `the guard can be missed: ${said}`);
});

Deno.test("uploads and compactions of one dataset wait for its row, but not for each other", async () => {
  const catalog = createSqlCatalog(sql);
  const dataset = newDataset();
  let uploading = true;
  const compactors = [0, 1].map(async (worker) => {
    while (uploading) {
      const claim = await catalog.claimCompaction({ worker: `w${worker}` });
      if (claim.claimed) await compact(catalog, claim);
    }
  });
  const uploaders = [0, 1, 2, 3, 4, 5].map(async (lane) => {
    for (let round = 0; round < 60; round++) {
      await upload(catalog, { user, dataset, body: `${lane}/${round}`, tables: [`t${lane}`] });
    }
  });
  await Promise.all(uploaders).finally(() => uploading = false);
  await Promise.all(compactors);
  assert.deepEqual(await violations(sql), []);
});

Deno.test("whatever four connections do at once, every row is there once when all is quiet", async () => {
  const catalog = createSqlCatalog(sql);
  const dataset = newDataset();
  const tables = ["a", "b", "c", "d"];
  await sql`update service_settings set max_attempts = 1000, vacuum_interval_seconds = 0`;
  const refusals = new Map<string, number>();
  let slicesSent = 0;
  const may = async (work: () => Promise<unknown>) => {
    await work().catch((error: SedimentError) => {
      assert.match(error.code, /^(lease_lost|run_finished|inputs_changed|object_missing)$/);
      refusals.set(error.code, (refusals.get(error.code) ?? 0) + 1);
    });
  };
  await Promise.all(Array.from({ length: 4 }, async (_, lane) => {
    for (let round = 0; round < 60; round++) {
      const dice = (round * 7 + lane * 3) % 10;
      if (dice < 4) {
        const some = tables.filter((_, i) => (round + lane + i) % 2);
        if (lane % 2) some.reverse();
        slicesSent += some.length;
        await upload(catalog, { user, dataset, body: `${lane}/${round}`, tables: some });
      } else if (dice < 8) {
        const claim = await catalog.claimCompaction({ worker: `w${lane}` });
        if (!claim.claimed) continue;
        const { run_id: run, token } = claim;
        if (round % 5 === 0) {
          await may(() =>
            catalog.failCompaction({
              run,
              token,
              code: "store_failed",
              message: "no",
              step: "merge",
              permanent: false,
            })
          );
        } else if (round % 7 === 0) { // it dies, and its lease ends
          await sql`update partitions set lease_expires_at = clock_timestamp() where run_id = ${run}`;
        } else await may(() => compact(catalog, claim));
      } else if (dice === 8) await catalog.requestCompaction({ user, dataset });
      else {
        await catalog.expireLeases({});
        await catalog.sweep({});
        await catalog.planVacuum({});
      }
    }
  }));
  assert.deepEqual(await violations(sql), []);

  for (let turn = 0; turn < 500; turn++) {
    await sql`update pgmq.q_compaction_manual set vt = clock_timestamp()`;
    await sql`update pgmq.q_compaction_realtime set vt = clock_timestamp()`;
    await sql`update pgmq.q_compaction_scheduled set vt = clock_timestamp()`;
    await sql`update partitions set ready_at = clock_timestamp() where ready_at is not null`;
    await sql`update partitions set lease_expires_at = clock_timestamp()
      where lease_expires_at is not null`;
    await catalog.expireLeases({});
    await sql`update pgmq.q_compaction_realtime set vt = clock_timestamp()`;
    await sql`update pgmq.q_compaction_manual set vt = clock_timestamp()`;
    await sql`update partitions set ready_at = clock_timestamp() where ready_at is not null`;
    const claim = await catalog.claimCompaction({ worker: "last" });
    if (claim.claimed) await compact(catalog, claim);
    else if (claim.reason === "empty") break;
  }
  const list = await catalog.listFiles({ user, dataset });
  assert.equal(list.files.length, tables.length, "one file a partition is left");
  assert.equal(list.files.reduce((rows, file) => rows + file.row_count, 0), slicesSent * 10);
  const [left] = await sql`
    select count(*) filter (where debt_files > 0 or msg_id is not null or lease_expires_at is not null
      or demand_seq > done_seq)::int as unfinished from partitions`;
  assert.equal(left.unfinished, 0);
  assert.deepEqual(await violations(sql), []);
});

async function claimed(catalog: ReturnType<typeof createSqlCatalog>) {
  const claim = await catalog.claimCompaction({ worker: "w" });
  assert.ok(claim.claimed, JSON.stringify(claim));
  return claim;
}

/** Waits until so many connections wait for a lock. */
async function waiting(sql: Sql, count: number): Promise<void> {
  while (true) {
    const [row] = await sql`
      select count(*)::int as waiting from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`;
    if (row.waiting >= count) return;
  }
}

const invariants = fileURLToPath(new URL("../../simulation/invariants.sql", import.meta.url));
async function violations(sql: Sql): Promise<string[]> {
  const rows = await sql.unsafe(await Deno.readTextFile(invariants), ["1 hour"]);
  return rows.map((row) => `${row.invariant}: ${row.what}`);
}
