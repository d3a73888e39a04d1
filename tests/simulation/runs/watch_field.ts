/** Watches calls for I9: what the environment breaks off costs nothing, and claims keep to the breaker and the slots. */
import type { SimulatedDatabase } from "./database.ts";

/**
 * Makes a call of the catalog and looks at what it did.
 *
 * @param violations where it tells what is wrong
 */
export async function watchField(
  { sql }: SimulatedDatabase,
  violations: string[],
  method: string,
  args: Record<string, unknown> | undefined,
  call: () => Promise<unknown>,
): Promise<unknown> {
  if (method === "claimCompaction") {
    const [{ state }] = await sql`select state from public.circuit_breaker`;
    const answer = await call() as { claimed: boolean };
    if (!answer.claimed) return answer;
    if (state === "open") violations.push("I9: a partition was claimed while the breaker was open");
    const [{ live, slots }] = await sql`
      select count(*)::int as live, (select max_workers from public.service_settings) as slots
      from public.partitions where lease_expires_at > simulation.clock()`;
    if (live > slots) violations.push(`I9: ${live} workers hold leases, and slots are ${slots}`);
    return answer;
  }
  if (method === "failCompaction" && args?.class === "environment") {
    const look = async () =>
      (await sql`select attempts, worked_seconds, status from public.processing_metrics
        where id = ${String(args.run)}`)[0];
    const before = await look();
    const answer = await call() as { status: string };
    const after = await look();
    const spent = answer.status !== "retry" || after.attempts >= Math.max(1, before.attempts) ||
      after.worked_seconds > before.worked_seconds;
    if (spent) {
      violations.push(
        `I9: ${args.code} of the environment cost run ${args.run}: ${JSON.stringify(after)}`,
      );
    }
    return answer;
  }
  return await call();
}
