/** Drains a queue with several workers on connections of their own, and measures what the catalog spends. */
import postgres from "postgres";
import { createSqlCatalog } from "../../support/sql_catalog.ts";
import { systemClock } from "../../../shared/clock.ts";
import { takeTurn } from "../../../shared/compaction/run/turn.ts";
import { cpuMs } from "./postgres_cpu.ts";
import { merge, store } from "./stand_ins.ts";

/** What a drain cost. */
export interface Drained {
  partitions: number;
  runs: number;
  seconds: number;
  runs_per_second: number;
  /** CPU of PostgreSQL's processes, milliseconds a run. */
  catalog_cpu_ms_per_run: number;
  deadlocks: number;
  failed: number;
}

/**
 * Drains.
 *
 * @param url of a role that may call the functions
 * @param postmaster PostgreSQL's first process
 */
export async function drain(
  url: string,
  postmaster: number,
  partitions: number,
  workers: number,
): Promise<Drained> {
  const watcher = postgres(url, { max: 1, onnotice: () => {} });
  const connections = Array.from(
    { length: workers },
    () => postgres(url, { max: 1, onnotice: () => {} }),
  );
  try {
    // Connections are made before the clock starts.
    await Promise.all(connections.map((sql) => sql`select 1`));
    const deadlocks = async () => {
      const [row] = await watcher`select deadlocks::int from pg_stat_database
        where datname = current_database()`;
      return row.deadlocks as number;
    };
    const before = { cpu: await cpuMs(postmaster), deadlocks: await deadlocks() };
    let runs = 0;
    let failed = 0;
    const begun = performance.now();
    await Promise.all(connections.map(async (sql, index) => {
      const ports = { catalog: createSqlCatalog(sql), store, merge, clock: systemClock };
      while (true) {
        const turn = await takeTurn(ports, {
          worker: `bench-${index}`,
          leaseSeconds: 300,
          turnSeconds: 3600,
          turnBytes: Infinity,
          budget: { cpuMs: Infinity, memoryMb: Infinity },
        });
        runs += turn.runs.length;
        failed += turn.runs.filter((run) => run.outcome !== "merged").length;
        if (turn.runs.length > 0) continue;
        const [left] = await sql`select exists (select from sediment.queue_messages) as any`;
        if (!left.any) return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }));
    const seconds = (performance.now() - begun) / 1000;
    const cpu = await cpuMs(postmaster) - before.cpu;
    return {
      partitions,
      runs,
      seconds: round(seconds),
      runs_per_second: round(runs / seconds),
      catalog_cpu_ms_per_run: round(cpu / runs),
      deadlocks: await deadlocks() - before.deadlocks,
      failed,
    };
  } finally {
    await Promise.all([watcher, ...connections].map((sql) => sql.end()));
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
