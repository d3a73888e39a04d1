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
  const sql = postgres(databaseUrl, { max: 3, onnotice: () => {} });
  const net = startNetRunner(sql);
  const cron = startCronRunner({ sql, databaseUrl, everySeconds });
  await sql.listen("sediment_stand_in_net", () => net.wake());
  await sql.listen("sediment_stand_in_cron", () => cron.reload());
  return {
    async stop() {
      await Promise.all([cron.stop(), net.stop()]);
      await sql.end({ timeout: 2 });
    },
  };
}
