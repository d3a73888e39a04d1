/**
 * The real catalog for the simulation: an embedded PostgreSQL with the migrations, emptied between seeds. Time,
 * chance and new ids are the simulation's (virtual_time.sql), so that a seed replays exactly.
 */
import postgres from "postgres";
import { startStack } from "../../../supabase/local/stack.ts";

/** A catalog of its own. */
export interface SimulatedDatabase {
  sql: postgres.Sql;
  /** For further connections. */
  url: string;
  /** Empties everything but the settings, which become those of the simulation, and starts time again. */
  reset(seed: number): Promise<void>;
  /** Lets `seconds` pass. */
  advance(seconds: number): Promise<void>;
  /** Changes the functions, as a mutation does, and makes them live in the simulation's time again. */
  patch(text: string): Promise<void>;
  /** What time it is. */
  now(): Date;
  stop(): Promise<void>;
}

/** Settings under which a simulated month fits into a second: the smallest that still differ. */
export const settings = {
  min_inputs: 2,
  max_age_seconds: 600,
  target_file_bytes: 2_000,
  realtime_delay_seconds: 0,
  lease_seconds: 60,
  max_run_seconds: 600,
  max_attempts: 3,
  backoff_base_seconds: 2,
  backoff_cap_seconds: 30,
  idle_recheck_seconds: 30,
  retention_seconds: 1_200,
  vacuum_interval_seconds: 0,
  signed_url_seconds: 300,
  max_put_seconds: 900,
  history_seconds: 20_000,
  idle_history_seconds: 20_000,
  breaker_window_seconds: 600,
  breaker_probe_seconds: 5,
  max_workers: 2,
  second_look_seconds: 40,
  deleted_upload_seconds: 3_000,
  clockwork_gap_seconds: 900,
  store_check_interval_seconds: 300,
  store_check_bytes_per_day: 1_000_000_000,
  // past what the datasets keep
  lake_retention_seconds: 3_000,
};

const epoch = Date.parse("2026-11-22T00:00:00Z");

const read = (name: string) => Deno.readTextFile(new URL(name, import.meta.url));
const resetSql = await read("./reset.sql");
const virtualTime = await read("./virtual_time.sql");

/**
 * Starts PostgreSQL with the migrations.
 *
 * @param time `real` leaves the server's clock as it is: for the races
 */
export async function openDatabase(
  time: "virtual" | "real" = "virtual",
): Promise<SimulatedDatabase> {
  const stack = await startStack({ functions: false, cron: false, quiet: true });
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {}, prepare: true });
  // Nobody pulls the plug in the middle of a seed.
  await sql.unsafe("set synchronous_commit = off");
  await sql.unsafe(resetSql);
  if (time === "virtual") await sql.unsafe(virtualTime);
  let now = 0;
  return {
    sql,
    async reset(seed) {
      now = 0;
      await sql`select simulation.reset(${String(seed)})`;
      const columns = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
      await sql.unsafe(`update public.service_settings set ${columns.join(", ")}`);
      // the catalog takes it for a setting that was lowered today
      await sql`update public.service_settings set signed_url_until = 'epoch'`;
    },
    async advance(seconds) {
      now += seconds;
      await sql`select set_config('simulation.now', ${String(now)}, false)`;
    },
    async patch(text) {
      await sql.unsafe(text);
      if (time === "virtual") await sql.unsafe(virtualTime);
    },
    now: () => time === "real" ? new Date() : new Date(epoch + now * 1000),
    url: stack.adminDbUrl,
    async stop() {
      await sql.end({ timeout: 1 });
      await stack.stop();
    },
  };
}
