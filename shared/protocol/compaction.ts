/**
 * What clients and services may ask of compaction. All strict: a filter that is written wrong must not reach more than
 * was meant.
 */
import * as z from "zod/mini";
import { cursorSchema, datasetIdSchema, limitSchema, nameSchema, uuidSchema } from "./fields.ts";

/** The priorities of the queue. */
const prioritySchema = z.enum(
  ["manual", "realtime", "scheduled"],
  '"manual", "realtime" or "scheduled"',
);

/** `POST /compaction`. */
export const compactionRequestSchema = z.strictObject({
  dataset_id: datasetIdSchema,
  table: z.optional(nameSchema),
  period_tag: z.optional(nameSchema),
  /** For services; a user's request is always by hand. */
  priority: z.optional(prioritySchema),
  /** The user for whom a service acts. */
  user_id: z.optional(uuidSchema),
}, "a JSON object");

/** `POST /compaction/sanitize-state`. */
export const sanitizeRequestSchema = z.strictObject({
  dataset_id: datasetIdSchema,
  user_id: z.optional(uuidSchema),
}, "a JSON object");

const idList = (what: string) =>
  z.array(z.int(`the id of ${what}`).check(z.positive(`the id of ${what}`)), "1 to 1000 ids")
    .check(z.minLength(1, "1 to 1000 ids"), z.maxLength(1000, "1 to 1000 ids"));
const idsOf = (what: string) => z.optional(idList(what));

/** `POST /compaction/quarantine/retry`: files of a dataset, or all of it that are in quarantine. */
export const retryQuarantinedSchema = z.strictObject({
  dataset_id: datasetIdSchema,
  files: idsOf("a data file"),
  user_id: z.optional(uuidSchema),
}, "a JSON object");

/** `POST /compaction/rewrite`: a table's files, or those of a period, are written anew by its settings; `stop` ends that. */
export const rewriteRequestSchema = z.strictObject({
  dataset_id: datasetIdSchema,
  table: nameSchema,
  period_tag: z.optional(nameSchema),
  stop: z.optional(z.boolean("true or false")),
  user_id: z.optional(uuidSchema),
}, "a JSON object");

/** The query of `GET /compaction/rewrite`. */
export const rewriteQuerySchema = z.strictObject({
  dataset_id: datasetIdSchema,
}, "query parameters");

/** The id of a run. */
export const runIdSchema = z.guid("a UUID, the instanceId or metricId of a run");

/** The query of `GET /compaction/dlq-status`. */
export const deadLetterQuerySchema = z.strictObject({
  dataset_id: z.optional(datasetIdSchema),
  limit: limitSchema(100),
  cursor: z.optional(cursorSchema),
}, "query parameters");

/** `POST /compaction/dlq/redrive`: letters by id, or all open ones that fit. */
export const redriveSchema = z.strictObject({
  ids: idsOf("a dead letter"),
  dataset_id: z.optional(datasetIdSchema),
  table: z.optional(nameSchema),
  error_code: z.optional(
    z.string("an error code").check(z.regex(/^[a-z0-9_]{1,100}$/, "an error code")),
  ),
  limit: limitSchema(100),
}, "a JSON object");

/** `POST /compaction/dlq/drop`: letters that nobody wants redriven. */
export const dropSchema = z.strictObject({ ids: idList("a dead letter") }, "a JSON object");

/** The query of `POST /compactor/check`. `wait` asks for the report where pings are answered at once. */
export const checkQuerySchema = z.strictObject({
  wait: z.optional(z.string()),
}, "query parameters");

/**
 * The query of `POST /compactor/vacuum`. With `dry_run` nothing is deleted, unless it is 0 or false; `wait` asks for the
 * report where pings are answered at once.
 */

export const vacuumQuerySchema = z.strictObject({
  dry_run: z.optional(z.string()),
  wait: z.optional(z.string()),
}, "query parameters");
