/** What clients and services may ask of compaction. */
import * as z from "zod";
import { datasetIdSchema, nameSchema } from "../uploads/names.ts";

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

/** The fields of `POST /compaction/upload`, beside its `file`. */
export const compactionUploadSchema = z.object({
  datasetId: datasetIdSchema,
  tableId: nameSchema,
  periodTag: nameSchema.optional(),
}, "form fields");

/** The id of a run. */
export const runIdSchema = z.guid("a UUID, the instanceId or metricId of a run");
