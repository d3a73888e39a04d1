/** What the SQL functions of the metrics answer. */
import * as z from "zod";
import { count } from "./values.ts";

export const countedProblems = z.object({ added: count });

const seconds = z.number().nonnegative();

/** All that `GET /compaction/metrics` shows. */
export const metrics = z.object({
  /** What happened so often, and what that was together: bytes or seconds. */
  counters: z.array(
    z.object({ metric: z.string(), label: z.string(), events: count, amount: z.number() }),
  ),
  queues: z.array(
    z.object({ queue: z.string(), messages: count, due: count, oldest_due_seconds: seconds }),
  ),
  debt: z.object({ partitions: count, oldest_seconds: seconds }),
  due_partitions: count,
  dead_partitions: count,
  leases: count,
  max_workers: count,
  breaker_open: z.boolean(),
  incidents: z.array(z.object({ name: z.string(), open: z.boolean() })),
  dead_letters: count,
  quarantined_files: count,
  lost_files: count,
  deletions: count,
  alerts_pending: count,
  store_findings: count,
  /** Of the lake; schemas of before it have none. */
  lake: z.object({ files: count, left_out: count, lag_seconds: seconds }).optional(),
  objects: z.array(z.object({ state: z.string(), objects: count })),
  tables: z.array(z.object({ table: z.string(), bytes: count, rows: count })),
});
export type Metrics = z.output<typeof metrics>;
