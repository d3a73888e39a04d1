/** What the SQL functions that keep the catalog in order answer. */
import * as z from "zod";
import { count, time, uuid } from "./values.ts";

export const health = z.object({
  ok: z.boolean(),
  queues: z.record(z.string(), z.object({ due: count, oldest_due_at: time.nullable() })),
  leases: count,
  overdue_leases: count,
  dead_letters: count,
  oldest_debt: time.nullable(),
  postgres: z.string(),
  pgmq: z.string(),
});

export const ticked = z.object({ ready: count, leases: count.nullable(), woken: count });

export const swept = z.object({
  sent: count,
  resent: count,
  stages_expired: count,
  fan_outs_closed: count,
  more: z.boolean(),
});

export const expiredLeases = z.object({ expired: count, dead: count, more: z.boolean() });

export const scheduled = z.object({
  datasets: z.array(uuid),
  partitions: count,
  more: z.boolean(),
});
