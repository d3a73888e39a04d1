/** What the service's calls, views and snippets take in a catalog, and in one ten times as large. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Sql } from "postgres";
import { median } from "../median.ts";
import { ownCpuMs } from "../queue/postgres_cpu.ts";
import { openCatalog } from "./catalog.ts";

/** One call, in the larger of the two catalogs. */
export interface CallCost {
  call: string;
  p50_ms: number;
  p95_ms: number;
  /** Of the database's process, the mean: what else runs on the machine is not in it. */
  cpu_ms: number;
  /** The median there, as a multiple of the median in the smaller one. */
  at_x10: number;
}

const snippets = fileURLToPath(new URL("../../../supabase/snippets/", import.meta.url));

/** Statements by name; each is made anew for the n-th time. */
type Calls = Record<string, (n: number) => string>;

const hash = () =>
  Array.from({ length: 4 }, () => crypto.randomUUID().slice(0, 8)).join("") + "0".repeat(32);

/** An upload of one small file in a partition that is there, staged and committed. */
function upload(dataset: string, tables: number): string {
  const text = hash();
  const files = JSON.stringify(Array.from({ length: tables }, (_, ordinal) => ({
    ordinal,
    table: tables === 1 ? "t" : `t${ordinal}`,
    period_tag: "p9",
    start_byte: ordinal * 700,
    byte_length: 700,
    row_count: 10,
    row_group_count: 1,
    uncompressed_bytes: 2000,
    schema_fingerprint: "s",
    schema: { name: "root", children: [] },
    stats: {},
  })));
  const user = `(select user_id from public.datasets where id = ${dataset})`;
  return `select public.commit_upload((s ->> 'stage_id')::uuid, ${user}, 8400, 'e', '${text}', '${files}')
    from public.stage_upload(${user}, ${dataset}, 't', 'p9', 8400, '${text}', '') s`;
}

/** A statement as PostgREST makes it for somebody who is signed in. */
const asUser = (n: number, statement: string) =>
  `set local role authenticated; select set_config('request.jwt.claims', json_build_object('sub', '00000000-0000-4000-8000-${
    String(n).padStart(12, "0")
  }', 'role', 'authenticated')::text, true); ${statement}; reset role`;

/** @param common how many datasets each of the catalogs has: some of them that lie apart are asked, one after the other */
export async function callsOf(common: number): Promise<Calls> {
  const dataset = (n: number) => `bench.u(${1 + (10 + n * 7919) % common})`;
  const calls: Calls = {
    "upload of 1 table": (n) => upload(dataset(n), 1),
    "upload of 12 tables": (n) => upload(dataset(n), 12),
    request_compaction: (n) => `select public.request_compaction(null, ${dataset(n)})`,
    "request_compaction of a period": (n) =>
      `select public.request_compaction(null, ${dataset(n)}, 't', 'p8')`,
    request_rewrite: (n) => `select public.request_rewrite(null, ${dataset(n)}, 't')`,
    run_status: (n) =>
      `select public.run_status(null, p.run_id) from public.partitions p
        where p.dataset_id = ${dataset(n)} and p.msg_id is not null limit 1`,
    get_file: (n) =>
      `select public.get_file(null, f.id) from public.battle_files f
        where f.dataset_id = ${dataset(n)} and f.removed_version is null limit 1`,
    version_at: (n) => `select public.version_at(null, ${dataset(n)}, now() - interval '57 min')`,
    "delete_data of a period": (n) => `select public.delete_data(null, ${dataset(n)}, 't', 'p8')`,
    "delete_data of a dataset, and its step": (n) =>
      `select public.delete_data(null, ${dataset(n)}), sediment.step_deletions()`,
    // the smallest of the catalogs has twenty open letters
    "redrive_dead_letters(20)": () => "select public.redrive_dead_letters(null, p_limit => 20)",
    "redrive_dead_letters(100)": () => "select public.redrive_dead_letters(null, p_limit => 100)",
    "list_dead_letters(20)": () => "select public.list_dead_letters(null, p_limit => 20)",
    "list_dead_letters(100)": () => "select public.list_dead_letters(null)",
    retry_quarantined: (n) => `select public.retry_quarantined(null, bench.u(${1 + n % 19}))`,
    claim_compaction: () => "select public.claim_compaction('w', 300)",
    tick: () => "select public.tick()",
    "sweep(2000)": () => "select public.sweep(2000)",
    "expire_leases": () => "select public.expire_leases()",
    "trigger_scheduled": () => "select public.trigger_scheduled(5, 5, 0, 50)",
    "prune_history": () => "select public.prune_history()",
    "catalog_health": () => "select public.catalog_health()",
    watch_health: () => "select public.watch_health()",
    watch_troubles: () => "select sediment.watch_troubles(true)",
    advance_rewrites: () => "select sediment.advance_rewrites()",
    end_aged: () => "select public.end_aged()",
    step_deletions: () => "select sediment.step_deletions()",
    "publish_lake, prune_lake": () => "select sediment.publish_lake(), sediment.prune_lake(10000)",
    "fold_metrics, sample_metrics": () =>
      "select sediment.fold_metrics(), sediment.sample_metrics()",
    read_metrics: () => "select public.read_metrics()",
    deployment_findings: () => "select public.deployment_findings()",
    "list_files": (n) => `select public.list_files(null, ${dataset(n)}, p_limit => 100)`,
    "list_tables": (n) => `select public.list_tables(null, ${dataset(n)})`,
    "plan_vacuum(1000)": () => "select public.plan_vacuum(1000)",
    "list_objects of what is staged": () => "select public.list_objects('staged', 100)",
    "partition_status by the age of debt": () =>
      "select * from public.partition_status where debt_oldest is not null order by debt_oldest limit 100",
    "dataset_status of a dataset": (n) =>
      `select * from public.dataset_status where id = ${dataset(n)}`,
    queue_status: () => "select * from public.queue_status",
    dead_letter_summary: () => "select * from public.dead_letter_summary",
    quarantined_files: () => "select * from public.quarantined_files",
    setting_warnings: () => "select * from public.setting_warnings",
    store_differences: () => "select * from public.store_differences",
    "a user's datasets by PostgREST": (n) =>
      asUser(n % 1000, "select * from public.dataset_status order by id limit 100"),
    "a user's files by PostgREST": (n) =>
      asUser(n % 1000, "select * from public.battle_files order by id limit 100"),
    "a user's runs by PostgREST": (n) =>
      asUser(n % 1000, "select * from public.processing_metrics order by queued_at desc limit 100"),
  };
  for await (const { name } of Deno.readDir(snippets)) {
    const text = await Deno.readTextFile(join(snippets, name));
    // its row is of a dataset that is not there
    if (name !== "table_settings.sql") calls[`snippets/${name}`] = () => text;
  }
  return calls;
}

/** Milliseconds of each call, the shortest first, and the CPU that each takes; what it changes is taken back. */
export async function measure(
  sql: Sql,
  calls: Calls,
  times: number,
): Promise<Map<string, { ms: number[]; cpu: number }>> {
  const took = new Map<string, { ms: number[]; cpu: number }>();
  // other processes' parts would not be counted
  await sql`set max_parallel_workers_per_gather = 0`;
  const [{ pid }] = await sql`select pg_backend_pid() as pid`;
  for (const [name, text] of Object.entries(calls)) {
    const ms: number[] = [];
    let spent = 0;
    for (let n = 0; n <= times; n++) {
      const statement = text(n);
      await sql.unsafe("begin");
      // the first one makes plans
      if (n === 1) spent = await ownCpuMs(pid);
      const begun = performance.now();
      await sql.unsafe(statement).simple();
      if (n > 0) ms.push(performance.now() - begun);
      await sql.unsafe("rollback");
    }
    took.set(name, {
      ms: ms.sort((one, other) => one - other),
      cpu: (await ownCpuMs(pid) - spent) / times,
    });
  }
  return took;
}

/**
 * Measures every call over a tenth of the datasets, then over all of them. Whatever a call changes is taken back.
 *
 * @param at folder that keeps the larger catalog, or has it (openCatalog)
 */
export async function callCosts(
  datasets: number,
  times: number,
  at: string | undefined,
  tell: (text: string) => void,
): Promise<CallCost[]> {
  const calls = await callsOf(datasets / 10);
  const costs = async (count: number, folder?: string) => {
    await using catalog = await openCatalog(count, folder, tell);
    return await measure(catalog.sql, calls, times);
  };
  const few = await costs(datasets / 10);
  const many = await costs(datasets, at);
  return [...many].map(([call, { ms, cpu }]) => ({
    call,
    p50_ms: round(median(ms)),
    p95_ms: round(ms[Math.ceil(ms.length * 0.95) - 1]!),
    cpu_ms: round(cpu),
    at_x10: round(median(ms) / median(few.get(call)!.ms)),
  }));
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
