/** What the SQL functions of the lake answer. */
import * as z from "zod";
import { count, time } from "./values.ts";

/** A table of the lake: those of one name in all datasets. */
export const lakeTable = z.object({
  id: count,
  name: z.string(),
  /** What the lake's own two columns are called; for good. */
  dataset_column: z.string(),
  period_column: z.string(),
  approved_at: time,
  /** Since when it is out of the lake; null while it is in it. */
  withdrawn_at: time.nullable(),
});

/** The namespaces that a caller sees of the lake, or the tables of one. */
export const lakeNames = z.object({ names: z.array(z.string()), more: z.boolean() });

/** A table's metadata, or what it is to be written of. */
export const loadedLakeTable = z.discriminatedUnion("state", [
  z.object({
    state: z.enum(["fresh", "busy"]),
    object_key: z.string().nullable(),
    metadata: z.string().nullable(),
    /** Whether a publication is to come before the next metadata. */
    waits: z.boolean().optional(),
  }),
  z.object({
    state: z.literal("claimed"),
    relation: count,
    dataset_id: z.string(),
    revision: count,
    uuid: z.string(),
    name: z.string(),
    snapshot: count,
    at: time,
    columns_at: count,
    next_file: count,
    columns: z.array(z.object({
      id: count,
      parent: count.nullable(),
      name: z.string(),
      names: z.array(z.string()),
      type: z.string().nullable(),
    })),
    history: z.array(z.object({
      snapshot: count,
      at: time,
      object_key: z.string(),
      files: count,
      rows: count,
      bytes: count,
    })),
    /** Manifests that stay. */
    kept: z.array(z.object({
      object_key: z.string(),
      bytes: count,
      snapshot: count,
      added_files: count,
      added_rows: count,
      files: count,
      rows: count,
      min_sequence: count,
    })),
    /** id, snapshot, dataset, period tag, object key, bytes, rows, whether no manifest had it. */
    files: z.array(
      z.tuple([count, count, z.string(), z.string(), z.string(), count, count, z.boolean()]),
    ),
    /** Of files' sort keys: file, column, nulls, min and max; null: not known. A catalog of before tells none. */
    statistics: z.array(
      z.tuple([count, count, count.nullable(), z.string().nullable(), z.string().nullable()]),
    ).default([]),
    totals: z.object({ files: count, rows: count, bytes: count }),
    left_out: z.array(z.object({ reason: z.string(), files: count, rows: count.nullable() })),
    keys: z.object({
      metadata: z.string(),
      list: z.string(),
      manifests: z.array(z.string()),
    }),
  }),
]);

/** What a table's metadata is to be written of. */
export type ClaimedLakeTable = Extract<z.output<typeof loadedLakeTable>, { state: "claimed" }>;

/** Whether what was written is what readers are given now. */
export const committedLakeMetadata = z.object({ committed: z.boolean() });

/** That a request may be signed; others are refused. */
export const signedLakeObject = z.object({ signs: z.literal(true) });
