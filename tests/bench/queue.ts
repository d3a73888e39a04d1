/**
 * `deno task bench queue [--partitions 1000,10000] [--workers 4] [--history] [--runs 1000000] [--files 10000000]
 * [--beside DIR [--rounds 5]] [--json]`: queued partitions of five small fragments each, drained by workers on connections of their own; the
 * store and the merge are stand-ins that cost next to nothing. With --history the catalog first gets that many
 * ended runs and files; then what an idle tick and a status read cost is measured in the database: milliseconds, and
 * for the tick the scans that PostgreSQL counted (supabase/tests/tick_cost.sql holds them to one).
 * `--beside DIR` drains in this tree and in another checkout, in turns, and prints what a run costs the catalog in both and
 * the median of the rounds' ratios.
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import postgres, { type Sql } from "postgres";
import { startStack } from "../../supabase/local/stack.ts";
import { liftLimits } from "./lift_limits.ts";
import { queueBeside } from "./queue/beside.ts";
import { drain, type Drained } from "./queue/drain.ts";

const { values: options } = parseArgs({
  args: Deno.args,
  options: {
    partitions: { type: "string", default: "1000,10000" },
    workers: { type: "string", default: "4" },
    history: { type: "boolean", default: false },
    runs: { type: "string", default: "1000000" },
    files: { type: "string", default: "10000000" },
    /** A checkout of another commit, to measure this one by, and how often. */
    beside: { type: "string" },
    rounds: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
  },
});

if (options.beside !== undefined) {
  for (const partitions of options.partitions.split(",").map(Number)) {
    const line = await queueBeside(resolve(options.beside), {
      partitions,
      workers: Number(options.workers),
      rounds: Number(options.rounds),
    });
    const [theirs, ours] = line.catalog_cpu_ms_per_run;
    console.log(
      options.json
        ? JSON.stringify(line)
        : `${partitions} partitions: ${theirs} → ${ours} ms catalog CPU a run (${line.ratio})`,
    );
  }
  Deno.exit(0);
}

/** Milliseconds that a statement takes in the database, the mean of a thousand. */
async function inDatabase(sql: Sql, statement: string, times = 1000): Promise<number> {
  await sql.unsafe(`create or replace function bench.once() returns float8 language plpgsql as $$
    declare v_start timestamptz := clock_timestamp();
    begin
      for i in 1 .. ${times} loop perform ${statement}; end loop;
      return extract(epoch from clock_timestamp() - v_start) * 1000 / ${times};
    end $$`);
  const [{ ms }] = await sql`select bench.once() as ms`;
  return Math.round(ms * 1000) / 1000;
}

/** What one tick reads: the scans of tables and indexes that PostgreSQL counts in its transaction, and its plan. */
async function tickScans(sql: Sql): Promise<Record<string, unknown>> {
  return await sql.begin(async (tx) => {
    const scans = async () => {
      const [row] = await tx`select sum(seq_scan)::int as seq, sum(idx_scan)::int as idx
        from pg_stat_xact_user_tables where schemaname in ('public', 'pgmq', 'sediment')`;
      return row;
    };
    const before = await scans();
    const [{ tick }] = await tx`select public.tick()`;
    const after = await scans();
    const plan = await tx`explain (analyze, buffers, timing off, summary off)
      select 1 from public.partitions p
      where p.msg_id is not null and p.ready_at <= now() limit 10`;
    return {
      tick,
      index_scans: after.idx - before.idx,
      table_scans: after.seq - before.seq,
      plan: plan.map((row) => String(row["QUERY PLAN"]).trim()),
    };
  });
}

const fill = await Deno.readTextFile(new URL("./queue/fill.sql", import.meta.url));
const drained: Drained[] = [];
let atRest: Record<string, unknown> | undefined;
for (const text of options.partitions.split(",")) {
  const partitions = Number(text);
  const stack = await startStack({ functions: false, cron: false });
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(fill);
    await sql`update public.service_settings set realtime_delay_seconds = 0`;
    await liftLimits(sql);
    for (let from = 1; from <= partitions; from += 1000) {
      await sql.unsafe(`call bench.fill(${from}, ${Math.min(partitions, from + 999)})`);
    }
    await sql`analyze`;
    const pid = Number(
      (await sql`select pg_read_file('postmaster.pid') as text`)[0].text.split("\n")[0],
    );
    const one = await drain(stack.adminDbUrl, pid, partitions, Number(options.workers));
    drained.push(one);
    if (!options.json) {
      console.log(
        `${one.partitions} partitions: ${one.runs} runs in ${one.seconds} s, ` +
          `${one.runs_per_second} runs/s, ${one.catalog_cpu_ms_per_run} ms catalog CPU a run, ` +
          `${one.deadlocks} deadlocks, ${one.failed} not merged`,
      );
    }
    if (options.history && atRest === undefined) {
      await sql.unsafe(`call bench.fill_history(${options.runs}, ${options.files})`);
      // Messages that wait: backing off, leased, or delayed.
      await sql`select pgmq.send('compaction_realtime'::text, '{}'::jsonb, 3600)
        from generate_series(1, 10000)`;
      await sql`analyze`;
      const [{ id, user_id: user }] = await sql`
        select id, user_id from public.processing_metrics order by queued_at desc limit 1`;
      atRest = {
        runs: Number(options.runs),
        files: Number(options.files),
        idle_tick_ms: await inDatabase(sql, "public.tick()"),
        idle_tick: await tickScans(sql),
        status_ms: await inDatabase(sql, `public.run_status('${user}', '${id}')`),
        dataset_status_ms: await inDatabase(
          sql,
          `* from public.dataset_status where id = '00000000-0000-4000-8000-000000000000'`,
          100,
        ),
      };
      if (!options.json) console.log(atRest);
    }
  } finally {
    await sql.end();
    await stack.stop();
  }
}
const costs = drained.map((one) => one.catalog_cpu_ms_per_run);
const growth = Math.round(costs.at(-1)! / costs[0]! * 100) / 100;
if (options.json) console.log(JSON.stringify({ drained, growth, at_rest: atRest }));
else if (drained.length > 1) console.log(`cost a run, last to first: ${growth}`);
Deno.exit(drained.some((one) => one.deadlocks > 0 || one.failed > 0) ? 1 : 0);
