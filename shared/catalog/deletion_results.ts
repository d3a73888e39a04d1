/** What the SQL functions of deletions answer. */
import * as z from "zod";
import { count, time, uuid } from "./values.ts";

/** A deletion as whoever asked for it is told. */
export const deletionReceipt = z.object({
  deletion_id: uuid,
  kind: z.enum(["user", "dataset", "table", "period", "upload"]),
  /** Whose data it is. */
  user_id: uuid,
  dataset_id: uuid.nullable(),
  table: z.string().nullable(),
  period_tag: z.string().nullable(),
  upload_id: uuid.nullable(),
  /** The first version without it; null of a user, who has no versions, and while merged rows wait for a rewrite. */
  version: count.nullable(),
  purge: z.boolean(),
  state: z.enum(["pending", "marked", "removed", "purging", "purged"]),
  /** Nothing is left to be done; of a purge: the store has answered for every object. */
  done: z.boolean(),
  files: count,
  rows: count,
  bytes: count,
  assets: count,
  objects_left: count,
  requested_at: time,
  removed_at: time.nullable(),
  purged_at: time.nullable(),
});
export type DeletionReceipt = z.output<typeof deletionReceipt>;

/** What ended by its age. */
export const ended = z.object({
  dataset_id: uuid.nullable(),
  version: count.nullable(),
  files: count,
  rows: count,
  more: z.boolean(),
});

/** An object that is to be split, and where its slices are to be copied. */
const stagedSplit = z.object({
  object_key: z.string(),
  etag: z.string().nullable(),
  copies: z.array(z.object({
    file: count,
    start_byte: count,
    byte_length: count,
    checksum: z.string().nullable(),
    object_key: z.string(),
  })),
});
export type StagedSplit = z.output<typeof stagedSplit>;

export const stagedSplits = z.object({ splits: z.array(stagedSplit), more: z.boolean() });
export const committedSplit = z.object({ copied: count, left: count });

export const advancedDeletion = z.object({ advanced: uuid.nullable(), more: z.boolean() });
