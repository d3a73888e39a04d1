/** What the SQL functions of the console answer. */
import * as z from "zod";
import { count, id, json, time, uuid } from "./values.ts";

const amount = z.number().nonnegative();

/** What the console begins with. */
export const overview = z.object({
  scope: z.enum(["user", "deployment"]),
  totals: z.object({ datasets: count, files: count, rows: count, bytes: count }),
  debt: z.object({ partitions: count, files: count, bytes: count, oldest: time.nullable() }),
  running: count,
  dead_partitions: count,
  dead_letters: count,
  quarantined_files: count,
  left_alone_files: count,
  /** Of the deployment, as the rest is; null and none for a user. */
  health: z.object({
    ok: z.boolean(),
    reasons: z.array(z.object({ code: z.string(), detail: z.string().nullable() })),
  }).nullable(),
  incidents: z.array(z.object({ name: z.string(), opened_at: time, summary: z.string() })),
  /** Settings that are hardly meant. */
  warnings: count,
  queues: z.array(
    z.object({ queue: z.string(), messages: count, due: count, oldest_due_at: time.nullable() }),
  ),
  workers: z.object({ busy: count, max: count }).nullable(),
  /** Where the counters stood and what there was, by minute or hour. */
  samples: z.array(z.object({
    at: time,
    /** Null of a user's, as the debt is: nobody counts it by dataset. */
    uploads: count.nullable(),
    upload_bytes: amount.nullable(),
    merges: count,
    files_merged: count,
    lag_seconds: amount,
    debt_partitions: count.nullable(),
    debt_oldest_seconds: amount.nullable(),
    dead_letters: count.nullable(),
    /** What was stored then; null where nobody knows. */
    row_count: count.nullish(),
    file_count: count.nullish(),
    stored_bytes: amount.nullish(),
  })),
});

export const datasetList = z.object({
  datasets: z.array(z.object({
    id: uuid,
    user_id: uuid,
    name: z.string(),
    files: count,
    rows: count,
    bytes: count,
    debt_files: count,
    debt_bytes: count,
    debt_oldest: time.nullable(),
    running: z.boolean(),
    dead_partitions: count,
    left_alone_files: count,
    last_compacted_at: time.nullable(),
    updated_at: time,
    /** The caller's: owner, writer, reader; service. */
    role: z.string(),
  })),
  next_cursor: z.string().nullable(),
});

export const partitionList = z.object({
  partitions: z.array(z.object({
    dataset_id: uuid,
    dataset_name: z.string(),
    table: z.string(),
    period_tag: z.string(),
    state: z.enum(["running", "expired", "waiting", "queued", "dead", "scheduled", "idle"]),
    debt_files: count,
    debt_bytes: count,
    debt_oldest: time.nullable(),
    next_due_at: z.string().nullable(),
    run_id: uuid.nullable(),
    /** In words. */
    last_decision: z.string().nullable(),
    last_considered_at: time.nullable(),
    dead_since: time.nullable(),
    left_alone_files: count,
    /** Why its run was given up. */
    error: z.object({
      letter_id: id,
      code: z.string(),
      message: z.string().nullable(),
      step: z.string().nullable(),
      attempts: count,
      failed_at: time.nullable(),
    }).nullable(),
  })),
  next_cursor: z.string().nullable(),
});

export const runList = z.object({
  runs: z.array(z.object({
    id: uuid,
    dataset_id: uuid,
    dataset_name: z.string(),
    table: z.string().nullable(),
    period_tag: z.string().nullable(),
    operation: z.string(),
    trigger: z.string(),
    priority: z.string(),
    status: z.string(),
    step: z.string().nullable(),
    attempts: count,
    error_code: z.string().nullable(),
    files_before: count,
    files_after: count,
    rows_after: count,
    bytes_before: count,
    bytes_after: count,
    queued_at: time,
    started_at: time.nullable(),
    completed_at: time.nullable(),
  })),
  /** Runs queued before that are the next page; null: that was all. */
  next_before: time.nullable(),
});

export const runTimelineParts = z.object({
  worker: z.string().nullable(),
  /** Milliseconds of each step, over all attempts. */
  steps_ms: z.record(z.string(), z.number()),
  worked_seconds: amount,
  first_failed_at: time.nullable(),
  last_failed_at: time.nullable(),
  outputs: z.array(z.object({
    ordinal: count,
    committed_at: time,
    /** Null: a decision, or a file that vacuum has dropped since. */
    file_id: id.nullable(),
    rows: count.nullable(),
    bytes: count.nullable(),
    row_groups: count.nullable(),
    level: count.nullable(),
    /** How many files it replaced. */
    inputs: count.nullable(),
  })),
});

export const quarantinedList = z.object({
  files: z.array(z.object({
    id,
    dataset_id: uuid,
    dataset_name: z.string(),
    table: z.string(),
    period_tag: z.string(),
    code: z.string().nullable(),
    reason: z.string().nullable(),
    quarantined_at: time.nullable(),
    bytes: count,
    rows: count,
    uploaded_at: time,
    /** Of a file that is as it was uploaded: the upload that brought it. */
    upload_id: uuid.nullish(),
  })),
});

const some = z.record(z.string(), json);

const settingColumn = z.object({
  name: z.string(),
  /** What it means: the comment of its column. */
  says: z.string().nullable(),
  unit: z.string().nullable(),
  default: z.string().nullable(),
  /** As PostgreSQL calls it. */
  type: z.string().optional(),
  /** Whether there must be a value. */
  required: z.boolean().optional(),
  /** What values it takes, in SQL. */
  check: z.string().nullish(),
});

export const settings = z.object({
  settings: z.array(z.object({ ...settingColumn.shape, value: json })),
  /** What may be set for a table, and for a user. */
  table_columns: z.array(settingColumn).optional(),
  user_columns: z.array(settingColumn).optional(),
  tables: z.array(z.object({ dataset_id: uuid, table: z.string(), settings: some })),
  users: z.array(z.object({ user_id: uuid, settings: some })),
  warnings: z.array(z.object({
    settings: z.string(),
    dataset_id: uuid.nullable(),
    table: z.string().nullable(),
    column_name: z.string(),
    warning: z.string(),
  })),
  history: z.array(z.object({
    changed_at: time,
    settings: z.string(),
    dataset_id: uuid.nullable(),
    table: z.string().nullable(),
    user_id: uuid.nullable(),
    column_name: z.string(),
    old_value: json,
    new_value: json,
    role: z.string(),
    subject: z.string().nullable(),
  })),
});

export const changedSettings = z.object({
  changed: z.array(z.string()),
  refused: z.object({ field: z.string(), why: z.string(), expected: z.string() }).nullable(),
});
