/** What the SQL functions of runs and the queue answer. */
import * as z from "zod";
import { type CatalogFacts, listedFacts } from "./file_facts.ts";
import { count, id, json, time, uuid } from "./values.ts";

/** Settings of one table, merged from table_settings and service_settings. */
const tableSettings = z.object({
  target_file_bytes: count,
  target_row_group_bytes: count,
  healthy_row_group_bytes: count,
  target_page_bytes: count,
  min_inputs: count,
  max_age_seconds: count,
  codec: z.enum(["snappy", "zstd"]),
  sort_keys: z.array(z.string()),
  dedupe_keys: z.array(z.string()),
  unite_uuid_as_text: z.boolean().optional(),
  retention_seconds: count,
  lease_seconds: count,
  max_run_seconds: count,
  max_attempts: count,
  /** Of a table of the lake: what its two columns are called. */
  lake: z.object({ dataset_column: z.string(), period_column: z.string() }).optional(),
});

/** `MergeFacts` of shared/parquet: what decides how a file's column chunks are merged. */
const mergeFacts = z.object({
  sums: z.array(z.object({
    healthy: z.boolean(),
    codec: z.enum(["gzip", "brotli", "zstd"]).optional(),
    bit_packed: z.literal(true).optional(),
    chunks: count,
    values: count,
    bytes: count,
    plain_bytes: count,
    largest_chunk: count,
  })),
  largest_group: count,
  page: count,
  pages: count,
});

/** A visible data file of a claimed partition, in upload order. */
export const inputFile = z.object({
  id,
  object_key: z.string(),
  start_byte: count,
  byte_length: count,
  etag: z.string().nullable(),
  level: count,
  seq_min: count,
  seq_max: count,
  ...listedFacts,
  /** Null where it was not kept; then the facts are too. */
  value_count: count.nullable(),
  merge_facts: mergeFacts.nullable(),
  state: z.enum(["active", "quarantined"]),
  uploaded_at: time,
  /** See `shared/compaction/checksum.ts`; null where it is not known. */
  checksum: z.string().nullish(),
  /** Why the file is to be written anew, in what schema, and whether nothing of it is copied; null for most. */
  rewrite: z.object({ reason: z.string(), schema: json.nullable(), anew: z.boolean().optional() })
    .nullable(),
  /** What a merge found that set it apart from others, and by which planner; null for most. */
  apart: z.object({
    kind: z.enum(["schema", "values", "memory"]),
    reason: z.string(),
    planner: z.number(),
  }).nullish(),
  /** Where in its bytes an output says which upload each row came from; null where it doesn't. */
  provenance: z.object({ start: count, length: count }).nullish(),
  /** 1: its last two columns are the lake's; 0: it is of a table of the lake and can't have them. Null for most. */
  lake_version: count.nullish(),
  /** Uploads, by their seq, that are being deleted and of which it may hold rows; null for most. */
  drop: z.array(count).nullish(),
});
export type InputFile = z.output<typeof inputFile>;

const inputPage = {
  files: z.array(inputFile),
  /** Schemas of the sound files by fingerprint; not of all where they are many or large. */
  schemas: z.record(z.string(), json),
  /** Whether of the files that no plan touches, full grown or in quarantine, only the first are in it. */
  part: z.boolean().optional(),
  more: z.boolean(),
  cursor: z.string().nullable(),
};

/** Nothing to do now; `fanned_out` means that asking again at once makes sense. */
const noClaim = z.object({
  claimed: z.literal(false),
  reason: z.enum(["empty", "busy", "fanned_out", "breaker_open"]),
  /** With `breaker_open`: what this worker is to try, if anything. */
  probe: z.object({
    token: z.number().int().positive(),
    part: z.enum(["store_read", "store_write", "catalog"]),
    /** Until when another may take it over. */
    seconds: count,
    keys: z.array(z.string()),
    write_key: z.string().nullable(),
  }).nullish(),
});
export type Probe = NonNullable<z.output<typeof noClaim>["probe"]>;

export const probed = z.object({
  state: z.enum(["closed", "open"]),
  probe_at: time.nullable(),
});

/** A leased partition and the run on it. `outputs_committed` is the ordinal of the run's next commit. */
export const claim = z.object({
  claimed: z.literal(true),
  run_id: uuid,
  dataset_id: uuid,
  table: z.string(),
  period_tag: z.string(),
  user_id: uuid,
  priority: z.enum(["manual", "realtime", "scheduled"]),
  token: z.number().int().positive(),
  lease_expires_at: time,
  /** Length of the lease from the claim on, for the worker's own clock. */
  lease_seconds: z.number(),
  /** Of the catalog's clock. */
  claimed_at: time,
  attempt: count,
  demand_seq: count,
  forced: z.boolean(),
  /** After deaths: these files are tried, whatever a plan would take of them. */
  trial: z.boolean(),
  outputs_committed: count,
  settings: tableSettings,
  steps: z.record(z.string(), json),
  /** Files of others, one of which is to be merged, for nothing, before what is on trial; absent: an older schema. */
  controls: z.array(inputFile).optional(),
  /** An output whose bytes are lost, and the retired files that it was made of; absent: an older schema. */
  remake: z.object({
    file: id,
    row_count: count,
    schema_fingerprint: z.string(),
    /** Null where it is not known. */
    schema: json.nullable(),
    inputs: z.array(inputFile),
  }).nullish(),
  ...inputPage,
});
export type Remake = NonNullable<z.output<typeof claim>["remake"]>;
export type Claim = z.output<typeof claim>;

export const claimed = z.discriminatedUnion("claimed", [claim, noClaim]);

export const fragments = z.object(inputPage);

export const committed = z.object({
  version: count.nullable(),
  file_id: id.nullable(),
  run_status: z.string(),
  requeued: z.boolean(),
  replayed: z.boolean(),
  commits: count,
  lease_expires_at: time.nullable(),
  /** What is left of the lease from the commit on; null when it ended. */
  lease_seconds: z.number().nullable(),
});

export const stagedOutput = z.object({
  object_key: z.string().nullable(),
  expires_at: time.nullable(),
  /** Whether this output was committed before; then `answer` is what the commit said. */
  committed: z.boolean(),
  answer: committed.nullable(),
});

/** A compaction's output as `commit_compaction` takes it. */
export interface OutputFile extends CatalogFacts {
  object_key: string;
  size: number;
  etag: string;
  /** See `shared/compaction/checksum.ts`; null where the bytes were not at hand. */
  checksum?: string | null;
  /** 1 where its last two columns are the lake's, 0 where they should be and can't; null for most. */
  lake_version?: number | null;
  /** Where it says which upload each row came from (shared/parquet/write/row_origins.ts); null where it doesn't. */
  provenance_start?: number | null;
  provenance_length?: number | null;
}

/** Files that wait for more, by size tier from the smallest, and since when the oldest upload among them does. */
interface Waiting {
  files: number[];
  oldest: (string | null)[];
}

/** What the planner says at a commit. */
export interface CommitResult {
  /** In words, for people; also when there was nothing to do. */
  decision?: string;
  /** What compaction still has to do in the partition. */
  debt?: { files: number; bytes: number; oldest?: string | null };
  /** When the partition should be looked at again though nothing new came. */
  next_due_at?: string | null;
  /** Whether files are left that the plan has not looked at. */
  unseen?: boolean;
  /** What it leaves waiting for more files; absent: not known, and the next upload makes a run. */
  waiting?: Waiting & {
    /** The same by group, where the next plan has several of schemas. @default one */
    groups?: (Waiting & { schemas: string[] })[];
  };
  /** The version of the planner. */
  planner?: number;
  /** Files that the plan leaves as they are, since taking them apart costs more than a turn may. */
  left_alone?: number;
  /** Milliseconds of each step. */
  steps_ms?: Record<string, number>;
  /** Shown as the run's progress in its status. */
  progress?: Record<string, number>;
  /** Shown as the run's output in its status. */
  output?: Record<string, unknown>;
  /** With last: the turn is over, the run is not; the next worker goes on with it. */
  more?: boolean;
  /** Of each upload that is being deleted, by its seq, how many rows of it were left out. */
  dropped?: Record<string, number>;
}

export const lease = z.object({ lease_expires_at: time, lease_seconds: z.number() });
export const recordedStep = z.object({ step: z.string() });
export const passedControl = z.object({ sound: z.boolean() });
export const quarantined = z.object({
  file_id: id,
  /** `active` where its bytes are missed for the first time: a second look decides. */
  state: z.enum(["active", "quarantined"]),
  changed: z.boolean(),
  look_again_at: time.nullish(),
});
/** `changed`: files that were not marked so by this planner before. */
export const setApart = z.object({ changed: count });
export const failed = z.object({
  status: z.enum(["retry", "dead"]),
  retry_at: time.nullable(),
  dead_letter_id: id.nullable(),
});

export const requested = z.object({
  instanceId: uuid,
  dataset_id: uuid,
  partitions: count,
  requested: z.array(z.object({ table: z.string(), period_tag: z.string(), metricId: uuid })),
  cursor: z.string().nullable(),
});

export const runStatus = z.object({
  instanceId: uuid,
  dataset_id: uuid,
  table: z.string().nullable(),
  period_tag: z.string().nullable(),
  operation: z.enum(["compaction", "fan_out"]),
  trigger: z.string(),
  priority: z.enum(["manual", "realtime", "scheduled"]),
  status: z.enum(["queued", "running", "success", "error"]),
  /** The run's own word: queued, running, success, failure, dlq_failure or timeout. */
  state: z.string(),
  step: z.string().nullable(),
  progress: json,
  decision: z.string().nullable(),
  attempts: count,
  commits: count,
  output: z.record(z.string(), json).nullable(),
  error: z.object({
    code: z.string(),
    message: z.string().nullable(),
    step: z.string().nullable(),
  }).nullable(),
  children: z.object({ total: count, done: count, failed: count }).nullable(),
  queued_at: time,
  started_at: time.nullable(),
  completed_at: time.nullable(),
  next_attempt_at: time.nullable(),
  /** Of a run that is `not_due`: when it will be, or null while nothing else comes. */
  due_at: time.nullish(),
});
export type RunStatus = z.output<typeof runStatus>;

/** A table that is being written anew, or was. */
export const rewrite = z.object({
  dataset_id: uuid,
  table: z.string(),
  /** This period alone; null: all. */
  period_tag: z.string().nullable(),
  asked_at: time,
  /** When all files were marked, or it was stopped; null while some are to be. */
  ended_at: time.nullable(),
  /** Marked so far, and their bytes. */
  files: count,
  bytes: count,
  /** Marked and not written anew yet; counted to 1000. */
  waiting: count,
  /** Marked and left as they are, since no turn can write them; counted to 1000. */
  left_alone: count,
});
export const rewrites = z.object({ rewrites: z.array(rewrite) });
