/** What the SQL functions that keep the catalog in order answer. */
import * as z from "zod";
import { count, time, uuid } from "./values.ts";

export const schemaVersion = count;

export const health = z.object({
  ok: z.boolean(),
  /** Why it is not, as stable words. */
  reasons: z.array(z.string()).optional(),
  /** What each says. */
  details: z.record(z.string(), z.string().nullable()).optional(),
  /** Of which alerts have told that they began. */
  open_incidents: z.array(z.string()).optional(),
  breaker: z.string().nullish(),
  queues: z.record(z.string(), z.object({ due: count, oldest_due_at: time.nullable() })),
  leases: count,
  overdue_leases: count,
  overdue_debt: count,
  dead_letters: count,
  oldest_debt: time.nullable(),
  postgres: z.string(),
  pgmq: z.string(),
});

export const watchedHealth = z.object({ opened: z.array(z.string()), closed: z.array(z.string()) });

export const pingId = count.nullable();

/** What the database alone can see of a deployment; null is what isn't installed. */
export const deploymentFindings = z.object({
  now: time,
  postgres: z.string(),
  migrations: z.array(z.string()).nullable(),
  extensions: z.record(z.string(), z.string().nullable()),
  jobs: z.array(z.object({
    name: z.string(),
    schedule: z.string(),
    active: z.boolean(),
    last_status: z.string().nullable(),
    last_message: z.string().nullable(),
    last_started_at: time.nullable(),
    failed: count,
    succeeded: count,
  })).nullable(),
  secrets: z.record(
    z.string(),
    z.object({ there: z.boolean(), finding: z.string().nullable() }),
  ).nullable(),
  ping: z.object({
    status_code: count.nullable(),
    timed_out: z.boolean(),
    error: z.string().nullable(),
    ours: z.boolean(),
  }).nullable(),
  bucket: z.object({ public: z.boolean(), file_size_limit: count.nullable() }).nullable(),
  /** The bucket that the catalog takes for the functions'. Absent before the schema tells it. */
  storage_bucket: z.string().optional(),
  /** Absent before the schema tells it. */
  invalid_indexes: z.array(z.string()).optional(),
});
export type DeploymentFindings = z.output<typeof deploymentFindings>;

export const objectLimit = z.object({
  max_object_bytes: count.nullable(),
  /** Schemas of before do not say it. */
  max_asset_bytes: count.optional(),
});

export const ticked = z.object({ ready: count, leases: count.nullable(), woken: count });

export const vacuumWoken = z.object({ woken: z.boolean() });

export const swept = z.object({
  sent: count,
  resent: count,
  stages_expired: count,
  fan_outs_closed: count,
  more: z.boolean(),
});

export const pruned = z.object({
  runs: count,
  commits: count,
  dead_letters: count,
  alerts: count,
  objects: count,
  more: z.boolean(),
});

export const expiredLeases = z.object({ expired: count, dead: count, more: z.boolean() });

export const scheduled = z.object({
  datasets: z.array(uuid),
  partitions: count,
  more: z.boolean(),
});

const objectState = z.enum(["staged", "stored", "deleting", "tombstone"]);

export const vacuumPlan = z.object({
  dry_run: z.boolean(),
  versions: z.array(z.object({
    dataset_id: uuid,
    oldest_kept_version: count,
    vacuumable_version: count,
    retention_seconds: count,
  })),
  files_dropped: count,
  /** What the store should delete now, and why. */
  delete: z.array(z.object({
    object_key: z.string(),
    kind: z.string(),
    state: objectState,
    size: count.nullable(),
    reason: z.string().nullable(),
  })),
  more: z.boolean(),
});
export type VacuumPlan = z.output<typeof vacuumPlan>;

export const vacuumed = z.object({ tombstones: count, ignored: count });

const knownObject = z.object({
  object_key: z.string(),
  kind: z.string(),
  state: objectState,
  size: count.nullable(),
  etag: z.string().nullable(),
});

export const knownObjects = z.object({ objects: z.array(knownObject) });
export const objectList = z.object({
  objects: z.array(knownObject),
  next_cursor: z.string().nullable(),
});

const unsettledFile = z.object({
  id: count,
  /** The output that it went into, where inputs were asked for. */
  output: count.nullable(),
  object_key: z.string(),
  start_byte: count,
  byte_length: count,
  level: count,
  seq_min: count,
});
export type UnsettledFile = z.output<typeof unsettledFile>;

export const unsettledOutputs = z.object({ files: z.array(unsettledFile), more: z.boolean() });
export const settledOutputs = z.object({ settled: count });
export const markedFiles = z.object({ marked: count });

const comparedObject = z.object({
  object_key: z.string(),
  size: count.nullable(),
  etag: z.string().nullable(),
});

const storedFile = z.object({
  id: count,
  object_key: z.string(),
  start_byte: count,
  byte_length: count,
  /** Null: not known. */
  checksum: z.string().nullable(),
});

/** A slice of the check of the store. */
export const storeSlice = z.discriminatedUnion("claimed", [
  z.object({
    claimed: z.literal(false),
    reason: z.enum(["busy", "breaker_open", "not_due"]),
  }),
  z.object({
    claimed: z.literal(true),
    token: count,
    list: z.object({ cursor: z.string().nullable(), after: z.string() }).nullable(),
    /** Findings to be looked at again, with the files of those that are gone or have changed. */
    suspects: z.array(
      z.object({
        object_key: z.string(),
        kind: z.string(),
        files: z.array(storedFile),
      }),
    ),
    /** Files of which one must be as it was where others are to be missed. */
    sound: z.array(storedFile),
    files: z.array(storedFile),
    read: z.object({ after: count, ended: z.boolean() }).nullable(),
  }),
]);
export type StoreSlice = Extract<z.output<typeof storeSlice>, { claimed: true }>;

export const comparedObjects = z.object({
  known: z.array(comparedObject.extend({ state: objectState })),
  absent: z.array(comparedObject),
  after: z.string(),
  whole: z.boolean(),
});

export const checkedStore = z.object({ open: count, set_aside: count });
