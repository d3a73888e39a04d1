/** What the SQL functions of uploads answer. */
import * as z from "zod";
import type { CatalogFacts } from "./file_facts.ts";
import { count, json, time, uuid } from "./values.ts";

/** The first answer of an upload; `metricId` is the run that will see it. */
export const uploadAnswer = z.object({
  key: z.string(),
  size: count,
  uploaded_at: time,
  metricId: uuid,
  duplicate: z.boolean(),
  /** Its bytes were lost and are back. */
  healed: z.literal(true).optional(),
  dataset_id: uuid,
  version: count,
  runs: z.array(z.object({ table: z.string(), period_tag: z.string(), metricId: uuid })),
});
export type UploadAnswer = z.output<typeof uploadAnswer>;

export const stagedUpload = z.object({
  stage_id: uuid,
  /** The dataset that was asked for, or the user's own in its place. */
  dataset_id: uuid,
  /** Where the bytes go; of a direct upload: where the checked copy goes. */
  object_key: z.string(),
  /** Of a direct upload: the key that the client may write. */
  incoming_key: z.string().nullable(),
  expires_at: time,
  duplicate: z.boolean(),
  answer: uploadAnswer.nullable(),
});
export type StagedUpload = z.output<typeof stagedUpload>;

/** A data file as `commit_upload` takes it. */
export interface UploadedFile extends CatalogFacts {
  ordinal: number;
  table: string;
  period_tag: string;
  start_byte: number;
  byte_length: number;
  /** See `shared/compaction/checksum.ts`; null where the bytes were not at hand. */
  checksum?: string | null;
}

/** A stage as it was planned, for the completion of a direct upload. */
export const upload = z.object({
  stage_id: uuid,
  state: z.enum(["staged", "stored", "deleting", "tombstone"]),
  dataset_id: uuid,
  table: z.string(),
  period_tag: z.string(),
  object_key: z.string(),
  incoming_key: z.string().nullable(),
  size: count,
  content_hash: z.string(),
  offsets_digest: z.string(),
  details: json,
  expires_at: time.nullable(),
  /** The first answer, where this upload's identity was acknowledged. */
  answer: uploadAnswer.nullable(),
});

export const abandoned = z.object({ abandoned: z.boolean() });

const outcomes = z.array(z.union([
  z.object({ answer: json }),
  z.object({
    error: z.object({
      code: z.string(),
      message: z.string(),
      details: z.string().nullable(),
      hint: z.string().nullable(),
    }),
  }),
  z.object({ busy: z.literal(true) }),
]));

/** What became of each call of a group; the answers are parsed by the schema of their own call. */
export const settledCalls = z.object({ stages: outcomes, commits: outcomes });
