/** What the SQL functions of readers answer. */
import * as z from "zod";
import { listedFacts } from "./file_facts.ts";
import { count, id, json, time, uuid } from "./values.ts";

const dataFile = {
  id,
  object_key: z.string(),
  start_byte: count,
  byte_length: count,
  table: z.string(),
  period_tag: z.string(),
  /** The file's own length: a slice's, not its object's. */
  size: count,
  level: count,
  state: z.enum(["active", "quarantined"]),
  quarantine_code: z.string().nullable(),
  quarantine_reason: z.string().nullable(),
  ...listedFacts,
  stats: json,
  etag: z.string().nullable(),
  uploaded_at: time,
  added_version: count,
};

export const listedFile = z.object({
  ...dataFile,
  /** Whether a merge missed its bytes, and a second look is to come. */
  lost: z.boolean().optional(),
  seq_min: count,
  seq_max: count,
  /** Under which the list has the names of its columns. */
  schema_digest: z.string().nullish(),
});
export type ListedFile = z.output<typeof listedFile>;

export const fileList = z.object({
  dataset_id: uuid,
  version: count,
  /** Null for version 0, before the first commit. */
  committed_at: time.nullable(),
  /** How long URLs of the files may live. */
  signed_url_seconds: count,
  files: z.array(listedFile),
  /** By digest, the first columns of each schema that a file of the page has (`unpackStats`). Older schemas don't say. */
  columns: z.record(z.string(), z.array(z.string())).optional(),
  /** Of the whole dataset at the version; null: not known. Older schemas don't say. */
  totals: z.object({ files: count, rows: count, bytes: count, uncompressed_bytes: count })
    .nullish(),
  next_cursor: z.string().nullable(),
});

export const oneFile = z.object({
  ...dataFile,
  dataset_id: uuid,
  /** The dataset's owner. */
  user_id: uuid,
  object_size: count.nullable(),
  schema: json,
  removed_version: count.nullable(),
  /** Of a slice that was split from an object that others shared: where its bytes were in that. */
  copy_of: z.object({ copy_of: z.string(), start_byte: count }).nullable().optional(),
});

export const tableList = z.object({
  dataset_id: uuid,
  version: count,
  committed_at: time.nullable(),
  partitions: z.array(z.object({
    table: z.string(),
    period_tag: z.string(),
    files: count,
    rows: count,
    bytes: count,
    uncompressed_bytes: count,
    quarantined_files: count,
    last_uploaded_at: time,
    /** In upload order. */
    schemas: z.array(z.object({ fingerprint: z.string(), files: count, rows: count })),
  })),
  /** By fingerprint, each that a partition of the page names. */
  schemas: z.record(z.string(), json),
  next_cursor: z.string().nullable(),
});
export type TableList = z.output<typeof tableList>;

export const versionAt = z.object({ dataset_id: uuid, version: count, committed_at: time });
