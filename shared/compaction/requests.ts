/** What clients and services may ask of compaction. */
import * as z from "zod";
import { cursorSchema, datasetIdSchema, nameSchema } from "../catalog/names.ts";

/** The priorities of the queue. */
export const prioritySchema = z.enum(
  ["manual", "realtime", "scheduled"],
  '"manual", "realtime" or "scheduled"',
);

/** `POST /compaction`. */
export const compactionRequestSchema = z.object({
  datasetId: datasetIdSchema,
  table: nameSchema.optional(),
  periodTag: nameSchema.optional(),
  /** For services; a user's request is always by hand. */
  priority: prioritySchema.optional(),
  /** The user for whom a service acts. */
  user_id: z.guid("a UUID").optional(),
}, "a JSON object");

/** `POST /compaction/sanitize-state`. */
export const sanitizeRequestSchema = z.object({
  datasetId: datasetIdSchema,
  user_id: z.guid("a UUID").optional(),
}, "a JSON object");

/** `POST /compaction/quarantine/retry`: files of a dataset, or all of it that are in quarantine. */
export const retryQuarantinedSchema = z.strictObject({
  datasetId: datasetIdSchema,
  files: z.array(z.int("the id of a data file").positive("the id of a data file"))
    .min(1, "1 to 1000 ids").max(1000, "1 to 1000 ids").optional(),
  user_id: z.guid("a UUID").optional(),
}, "a JSON object");

/** The fields of `POST /compaction/upload`, beside its `file`. */
export const compactionUploadSchema = z.object({
  datasetId: datasetIdSchema,
  tableId: nameSchema,
  periodTag: nameSchema.optional(),
}, "form fields");

/** The id of a run. */
export const runIdSchema = z.guid("a UUID, the instanceId or metricId of a run");

const limitSchema = z.union(
  [z.int(), z.string().regex(/^\d{1,4}$/).transform(Number)],
  "1 to 1000",
).refine((limit) => limit >= 1 && limit <= 1000, "1 to 1000").default(100);

/** The query of `GET /compaction/dlq-status`. */
export const deadLetterQuerySchema = z.object({
  dataset_id: datasetIdSchema.optional(),
  limit: limitSchema,
  cursor: cursorSchema.optional(),
}, "query parameters");

/**
 * `POST /compaction/dlq/redrive`: letters by id, or all open ones that fit. Strict: a filter that is written wrong must
 * not redrive everything.
 */
export const redriveSchema = z.strictObject({
  ids: z.array(z.int("the id of a dead letter").positive("the id of a dead letter"))
    .min(1, "1 to 1000 ids").max(1000, "1 to 1000 ids").optional(),
  dataset_id: datasetIdSchema.optional(),
  table: nameSchema.optional(),
  error_code: z.string("an error code").regex(/^[a-z0-9_]{1,100}$/, "an error code").optional(),
  limit: limitSchema,
}, "a JSON object");
