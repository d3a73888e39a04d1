/** The workers of the pg_cron and pg_net stand-ins, woken by LISTEN. */
import postgres from "postgres";
import { startCronRunner } from "./cron/runner.ts";
import { startNetRunner } from "./net/runner.ts";

export interface StandIns {
  stop(): Promise<void>;
}

/**
 * @param databaseUrl of the superuser
 * @param everySeconds see CronOptions
 */
export async function startStandIns(
  databaseUrl: string,
  everySeconds?: Record<string, number>,
): Promise<StandIns> {
  const quiet = { onnotice: () => {}, connection: { application_name: "sediment stand-ins" } };
  const sql = postgres(databaseUrl, { ...quiet, max: 3 });
  const jobSql = postgres(databaseUrl, { ...quiet, max: 8, idle_timeout: 10, prepare: false });
  const net = startNetRunner(sql);
  const cron = startCronRunner({ sql, jobSql, everySeconds });
  await sql.listen("sediment_stand_in_net", () => net.wake());
  await sql.listen("sediment_stand_in_cron", () => cron.reload());
  return {
    async stop() {
      // A job that hangs must not keep the stack up: its connection is cut after a moment.
      const cut = setTimeout(() => jobSql.end({ timeout: 0 }), 2_000);
      await Promise.all([cron.stop(), net.stop()]);
      clearTimeout(cut);
      await Promise.all([sql.end({ timeout: 2 }), jobSql.end({ timeout: 2 })]);
    },
  };
}
