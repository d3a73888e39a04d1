/**
 * What the routes answer. In zod as the catalog's results are, of which most answers are made: no client parses answers
 * by these schemas, it takes their types.
 */
import * as z from "zod";
import { asset, assetList, committedAsset } from "../catalog/asset_results.ts";
import { deadLetters, dropped, redriven, retried } from "../catalog/dead_letter_results.ts";
import { fileList, listedFile, tableList } from "../catalog/read_results.ts";
import { count } from "../catalog/values.ts";
import type { SchemaJson } from "../parquet/format/schema_json.ts";
import { requested, rewrite, rewrites, runStatus } from "../catalog/run_results.ts";
import { scheduled } from "../catalog/upkeep_results.ts";
import { uploadAnswer } from "../catalog/upload_results.ts";

/** A run's id is `run_id`; `metricId` and `instanceId` stay where clients of the documents read them. */
const runId = z.string();
const partitionRun = uploadAnswer.shape.runs.element.extend({ run_id: runId });

/** A stored upload. */
export const storedUploadSchema = uploadAnswer.extend({
  ok: z.literal(true),
  run_id: runId,
  runs: z.array(partitionRun),
});

/** How large an upload may be. */
export const uploadLimitsSchema = z.object({
  max_body_bytes: z.int().describe("Of a body that goes through the service, as Avro must."),
  max_direct_bytes: z.int().describe(
    "Of a Parquet file or an asset that goes to the store, by direct=1.",
  ),
  max_asset_bytes: z.int().optional().describe(
    "Of an asset, however it goes; of the user who may have the largest.",
  ),
});

/** A planned upload: step 1 of two. */
export const plannedUploadSchema = z.object({
  uploadUrl: z.url().describe(
    "Takes the raw bytes by POST or PUT, once or again with the same bytes.",
  ),
  token: z.string().optional().describe(
    "What uploadUrl carries; a client may send it as X-Upload-Token to the address without it.",
  ),
  expiresAt: z.iso.datetime(),
  duplicate: z.boolean().describe("Whether these bytes were acknowledged before."),
  dataset_id: z.uuid().describe(
    "Where it goes: the dataset that was named, or the user's own in place of another user's.",
  ),
  stored: storedUploadSchema.omit({ ok: true }).optional().describe(
    "The first answer, when they were.",
  ),
  completeUrl: z.url().optional().describe(
    "With direct=1: POST here when the bytes are in the store.",
  ),
  method: z.literal("PUT").optional(),
});

/** A file stored by `POST /compaction/upload`. */
export const storedFormSchema = storedUploadSchema.extend({
  success: z.literal(true),
  instanceId: z.string(),
  tableId: z.string(),
  /** The last part of `key`. */
  fileName: z.string(),
  /** `size`, bytes. */
  fileSize: count,
});

/** A planned asset. */
export const plannedAssetSchema = z.object({
  uploadUrl: z.url(),
  token: z.string().optional().describe("Of uploadUrl; not with direct=1."),
  expiresAt: z.iso.datetime(),
  replaces: z.boolean(),
  completeUrl: z.url().optional().describe(
    "With direct=1: POST here when the bytes are in the store.",
  ),
  method: z.literal("PUT").optional(),
});

/** A stored asset. */
export const storedAssetSchema = committedAsset.omit({ object_key: true })
  .extend({ ok: z.literal(true) });

/** A page of assets. */
export const assetPageSchema = assetList.extend({ keys: z.array(z.string()) });

/** What `GET /asset-sync/check-hash` found. */
export const checkedHashSchema = z.object({
  key: z.string(),
  exists: z.boolean(),
  matches: z.boolean(),
  content_hash: z.string().nullable(),
});

/** An asset with an address. */
export const signedAssetSchema = asset.omit({
  object_key: true,
  missed: true,
  signed_url_seconds: true,
}).extend({
  url: z.url(),
  url_expires_at: z.iso.datetime(),
});

/** One file for readers. */
const manifestFileSchema = listedFile.omit({
  object_key: true,
  start_byte: true,
  byte_length: true,
  lost: true,
})
  .extend({
    /** Where it can be read until `url_expires_at`; a slice is served as a file of its own. */
    url: z.string().optional(),
    url_expires_at: z.string().optional(),
    /** Why it can't be read: it is listed without an address, and its rows are not lost to who has the bytes. */
    error: z.object({ code: z.string(), message: z.string() }).optional(),
  });
export type ManifestFile = z.output<typeof manifestFileSchema>;

/** A page of a manifest; `next_cursor` goes on at the same version, null: that was all. */
export const manifestSchema = fileList.omit({ signed_url_seconds: true }).extend({
  files: z.array(manifestFileSchema),
  /** Files of this page that can't be read; with `include=readable` they are left out of it. */
  unreadable: z.int().nonnegative(),
  /**
   * What the dataset holds at this version, all its tables together and whatever the query asks for: the sum of all pages
   * of a list without filters. Null while a deletion is being carried out, and of some old versions.
   */
  totals: fileList.shape.totals.unwrap(),
});
export type Manifest = z.output<typeof manifestSchema>;

/** A column, or a field of one: `schemaJson`'s words for types. */
const columnSchema: z.ZodType<SchemaJson> = z.lazy(() =>
  z.object({
    name: z.string(),
    /** Physical type of a leaf. */
    type: z.string().optional(),
    /** Logical type: `STRING`, `TIMESTAMP(MICROS,UTC)`, `DECIMAL(10,2)`, `LIST`, … */
    logical: z.string().optional(),
    /** How the type is annotated where that is not as usual. */
    spelling: z.string().optional(),
    repetition: z.enum(["required", "optional", "repeated"]).optional(),
    field_id: z.int().optional(),
    children: z.array(columnSchema).optional(),
  })
).meta({ id: "Column" });

/** One table of a page. */
const tableSchema = z.object({
  table: z.string(),
  files: count,
  rows: count,
  /** Of the files, compressed. */
  bytes: count,
  uncompressed_bytes: count,
  /** Of the files, those in quarantine: rows of them may not be readable. */
  quarantined_files: count,
  last_uploaded_at: z.string(),
  periods: z.array(z.object({ period_tag: z.string(), files: count, rows: count, bytes: count })),
  /** The columns of all files together; where their types have no common one, of those with the most rows. */
  columns: z.array(columnSchema),
  /** Why some files' columns are not among `columns`; null: all are. */
  conflict: z.string().nullable(),
  /** With `schemas=1`: of the files, in upload order. */
  schemas: z.array(
    z.object({ fingerprint: z.string(), files: count, rows: count, schema: columnSchema }),
  ).optional(),
  /** Whether the table goes on in the next page, with more files whose sums add to these. */
  continues: z.boolean(),
});

/** A page of tables; `next_cursor` goes on at the same version, null: that was all. */
export const tablesSchema = tableList.pick({
  dataset_id: true,
  version: true,
  committed_at: true,
  next_cursor: true,
}).extend({ tables: z.array(tableSchema) });
export type Tables = z.output<typeof tablesSchema>;

/** What is queued is told as the documents have it, beside `status`. */
const success = z.literal(true);

/** Compaction that was asked for. */
export const acceptedSchema = requested.extend({
  status: z.literal("accepted"),
  success,
  message: z.string(),
  run_id: runId,
  requested: z.array(partitionRun),
});

/** Files that are out of quarantine. */
export const retriedSchema = retried.extend({
  status: z.literal("accepted"),
  success,
  requested: z.array(partitionRun),
});

/** A table that is to be written anew. */
export const rewriteSchema = rewrite.extend({ status: z.literal("accepted"), success });

/** The tables of a dataset that are written anew, or were. */
export const rewritesSchema = rewrites;

/** Where a run is. */
export const runStatusSchema = runStatus.extend({ run_id: runId });

/** What the nightly trigger took. */
export const scheduledSchema = scheduled.extend({
  status: z.literal("accepted"),
  success,
  /** `partitions`, in the documents' word. */
  enqueued: count,
});

/** Partitions that got another run. */
export const redrivenSchema = redriven.extend({ status: z.literal("accepted"), success });

/** Dead letters that were closed without a run. */
export const droppedSchema = dropped.extend({ success });

/** Dead letters. */
export const deadLettersSchema = deadLetters;

/** Which settings were changed, and whose: of the deployment, of a table, of a user. */
export const changedSettingsSchema = z.object({
  settings: z.enum(["service_settings", "table_settings", "user_limits"]),
  changed: z.array(z.string()),
});

/** How a test alert went. */
export const sentAlertSchema = z.object({
  /** Whether there are webhooks and all took it. */
  sent: z.boolean(),
  webhooks: count,
  /** What went wrong, a line a webhook; hosts alone, since the paths are secrets. */
  errors: z.array(z.string()),
});

/** A session of a read-only key: another one is asked for with the key when it has ended. */
export const keySessionAnswerSchema = z.object({
  access_token: z.string().describe(
    "For these routes, PostgREST and Storage, as a reader of the dataset; Auth itself refuses it.",
  ),
  token_type: z.literal("bearer"),
  expires_in: z.int().describe("Seconds; the key may end before."),
  dataset_id: z.uuid(),
  key_expires_at: z.iso.datetime({ offset: true }),
});

/** {@link keySessionAnswerSchema} */
export type KeySessionAnswer = z.output<typeof keySessionAnswerSchema>;
