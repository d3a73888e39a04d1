import { strict as assert } from "node:assert";
import postgres, { type Sql } from "postgres";
import { commitToLake } from "./lake_commits.ts";
import { startCluster } from "../cluster.ts";

const rowsEach = 1_000;

/** A table of the lake, and datasets that have it. */
async function openLake(sql: Sql, count: number): Promise<{ datasets: string[]; digest: string }> {
  await sql`select approve_lake_table('t')`;
  await sql`select sediment.publish_lake()`;
  const [{ digest }] = await sql`
    with kept as (select sediment.keep_schemas(array['{"name": "s", "children": [{"name": "a", "type": "INT32"}]}'::jsonb]))
    select sediment.schema_digest('{"name": "s", "children": [{"name": "a", "type": "INT32"}]}'::jsonb) as digest from kept`;
  const datasets = Array.from({ length: count }, () => crypto.randomUUID());
  for (const id of datasets) {
    await sql`insert into datasets (id, user_id) values (${id}, ${id})`;
    await sql`insert into partitions (dataset_id, "table", period_tag) values (${id}, 't', '0')`;
  }
  return { datasets, digest };
}

Deno.test("publications beside commits of many datasets show each dataset's rows once, at every snapshot", async () => {
  await using cluster = await startCluster(17);
  const { url } = await cluster.newDatabase();
  const sql = postgres(url, { max: 8, onnotice: () => {} });
  try {
    await sql`update service_settings set lake_retention_seconds = 3600`;
    const { datasets, digest } = await openLake(sql, 6);
    let going = true;
    const writers = datasets.map((id, n) => commitToLake(sql, id, digest, rowsEach, 40, n));
    const all = Promise.all(writers).finally(() => going = false);
    let publications = 0;
    const publisher = (async () => {
      for (let last = false; !last;) {
        last = !going;
        const [{ answer }] = await sql`select sediment.publish_lake(3) as answer`;
        if (answer.snapshot !== null) publications++;
        if (answer.more) last = false;
      }
    })();
    const pruner = (async () => {
      while (going) await sql`select sediment.prune_lake(10)`;
    })();
    await all;
    await Promise.all([publisher, pruner]);

    assert.ok(publications > 1, "the publications met the commits");
    const wrong = await sql`
      select s.id, f.dataset_id, sum(f.row_count) as rows
      from lake_snapshots s join lake_files f on f.begin_snapshot <= s.id and coalesce(f.end_snapshot, s.id + 1) > s.id
      group by 1, 2 having sum(f.row_count) <> ${rowsEach}`;
    assert.deepEqual([...wrong], []);
    const shown = await sql`
      select l.battle_file from lake_files l where l.end_snapshot is null
      except select id from battle_files where removed_version is null`;
    assert.deepEqual([...shown], []);
    const [{ datasets: seen }] = await sql`
      select count(distinct dataset_id)::int as datasets from lake_files where end_snapshot is null`;
    assert.equal(seen, datasets.length);

    // who prunes has the lock to the end of the transaction, which purges and publications then wait for
    const held = () =>
      sql.begin(async (tx) => {
        await tx`select sediment.prune_lake(10000)`;
        const [{ locks }] = await tx`
          select count(*)::int as locks from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()`;
        return locks;
      });
    assert.equal(await held(), 0, "a pruning takes no lock where nothing is due");
    await sql`update lake_snapshots set at = at - interval '2 days' where true`;
    assert.equal(await held(), 1, "and has it where something is");
    assert.equal(await held(), 0, "until that is gone");
  } finally {
    await sql.end();
  }
});

Deno.test("a pruning that fails takes no publication back", async () => {
  await using cluster = await startCluster(17);
  const { url } = await cluster.newDatabase();
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const { datasets: [id], digest } = await openLake(sql, 1);
    await commitToLake(sql, id!, digest, rowsEach, 1, 0);
    for (const name of ["prune_lake", "prune_lake_heads"]) {
      await sql.unsafe(
        `create or replace function sediment.${name}(p_limit integer) returns integer language plpgsql
        as $$ begin raise exception 'of ${name}'; end $$`,
      );
    }
    // each job in a transaction of its own, as cron runs them
    const jobs =
      await sql`select command from cron.job where jobname like 'sediment_lake%' order by jobname`;
    const failed: string[] = [];
    for (const { command } of jobs) {
      await sql.unsafe(command).simple().catch(({ message }) => failed.push(message));
    }
    assert.deepEqual(failed.sort(), ["of prune_lake", "of prune_lake_heads"]);
    const shown =
      await sql`select sum(row_count)::int as rows from lake_files where end_snapshot is null`;
    assert.deepEqual([...shown], [{ rows: rowsEach }]);
  } finally {
    await sql.end();
  }
});
