/** What the console may ask. Strict, as all that is asked of compaction. */
import * as z from "zod/mini";
import { cursorSchema, datasetIdSchema, limitSchema, nameSchema, timeSchema } from "./fields.ts";

/** Seconds of the overview's windows. */
export const overviewWindows = { "15m": 900, "24h": 86_400, "30d": 2_592_000 };

/** The query of `GET /compaction/overview`. */
export const overviewQuerySchema = z.strictObject({
  window: z.optional(z.enum(["15m", "24h", "30d"], '"15m", "24h" or "30d"')),
}, "query parameters");

/** The query of `GET /compaction/datasets`. */
export const datasetsQuerySchema = z.strictObject({
  limit: limitSchema(100),
  cursor: z.optional(cursorSchema),
}, "query parameters");

/** The query of `GET /compaction/partitions`: of a dataset, or in a state. */
export const partitionsQuerySchema = z.strictObject({
  dataset_id: z.optional(datasetIdSchema),
  table: z.optional(nameSchema),
  state: z.optional(z.enum(["stuck", "debt", "running"], '"stuck", "debt" or "running"')),
  limit: limitSchema(100),
  cursor: z.optional(cursorSchema),
}, "query parameters");

/** The query of `GET /compaction/runs`. */
export const runsQuerySchema = z.strictObject({
  dataset_id: z.optional(datasetIdSchema),
  table: z.optional(nameSchema),
  period_tag: z.optional(nameSchema),
  /** Those that failed, of the latest 5,000. */
  failed: z.optional(z.enum(["1"], '"1"')),
  limit: limitSchema(100),
  /** Those that were queued before. */
  before: z.optional(timeSchema),
}, "query parameters");

/** The query of `GET /compaction/quarantine`. */
export const quarantineQuerySchema = z.strictObject({
  dataset_id: z.optional(datasetIdSchema),
  limit: limitSchema(200),
}, "query parameters");
