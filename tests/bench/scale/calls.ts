/** What the service's calls, views and snippets take in a catalog, and in one ten times as large. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Sql } from "postgres";
import { median } from "../median.ts";
import { openCatalog } from "./catalog.ts";

/** One call, in the larger of the two catalogs. */
export interface CallCost {
  call: string;
  p50_ms: number;
  p95_ms: number;
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

/** @param common how many datasets each of the catalogs has: some of them that lie apart are asked, one after the other */
async function callsOf(common: number): Promise<Calls> {
  const dataset = (n: number) => `bench.u(${1 + (10 + n * 7919) % common})`;
  const calls: Calls = {
    "upload of 1 table": (n) => upload(dataset(n), 1),
    "upload of 12 tables": (n) => upload(dataset(n), 12),
    claim_compaction: () => "select public.claim_compaction('w', 300)",
    tick: () => "select public.tick()",
    "sweep(2000)": () => "select public.sweep(2000)",
    "expire_leases": () => "select public.expire_leases()",
    "trigger_scheduled": () => "select public.trigger_scheduled(5, 5, 0, 50)",
    "prune_history": () => "select public.prune_history()",
    "catalog_health": () => "select public.catalog_health()",
    "list_files": (n) => `select public.list_files(null, ${dataset(n)}, p_limit => 100)`,
    "list_tables": (n) => `select public.list_tables(null, ${dataset(n)})`,
    "plan_vacuum(1000)": () => "select public.plan_vacuum(1000)",
    "list_objects of what is staged": () => "select public.list_objects('staged', 100)",
    "partition_status by the age of debt": () =>
      "select * from public.partition_status where debt_oldest is not null order by debt_oldest limit 100",
    "dataset_status of a dataset": (n) =>
      `select * from public.dataset_status where id = ${dataset(n)}`,
    queue_status: () => "select * from public.queue_status",
  };
  for (const name of ["partition_debt", "dead_letters", "quarantined_files", "slow_runs"]) {
    const text = await Deno.readTextFile(join(snippets, `${name}.sql`));
    calls[`snippet ${name}.sql`] = () => text;
  }
  return calls;
}

async function measure(sql: Sql, calls: Calls, times: number): Promise<Map<string, number[]>> {
  const took = new Map<string, number[]>();
  for (const [name, text] of Object.entries(calls)) {
    const ms: number[] = [];
    for (let n = 0; n <= times; n++) {
      const statement = text(n);
      await sql.unsafe("begin");
      const begun = performance.now();
      await sql.unsafe(statement).simple();
      // the first one makes plans
      if (n > 0) ms.push(performance.now() - begun);
      await sql.unsafe("rollback");
    }
    took.set(name, ms.sort((one, other) => one - other));
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
  return [...many].map(([call, ms]) => ({
    call,
    p50_ms: round(median(ms)),
    p95_ms: round(ms[Math.min(ms.length - 1, Math.floor(ms.length * 0.95))]!),
    at_x10: round(median(ms) / median(few.get(call)!)),
  }));
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
