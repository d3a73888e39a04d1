/** The query of a manifest: `GET /battle-data/chunks` and `/latest`. */
import * as z from "zod/mini";
import { cursorSchema, datasetIdSchema, limitSchema, nameSchema, wholeNumber } from "./fields.ts";

/** Strict: without a filter that was written wrong it would list more than was asked for. */
export const manifestQuerySchema = z.strictObject({
  dataset_id: datasetIdSchema,
  table: z.optional(nameSchema),
  period_tag: z.optional(nameSchema),
  /** First period tag, inclusive. */
  from: z.optional(nameSchema),
  /** Last period tag, inclusive. */
  to: z.optional(nameSchema),
  /** A kept version; the newest when absent. */
  version: z.optional(wholeNumber("a version number", 0, Number.MAX_SAFE_INTEGER)),
  limit: limitSchema(100),
  cursor: z.optional(cursorSchema),
  /** `1`: each file with a signed URL. */
  signed: z.optional(z.enum(["0", "1", "false", "true"], "0 or 1")),
  /** `readable`: without the files that can't be read, which are counted instead. */
  include: z.optional(z.enum(["all", "readable"], "all or readable")),
}, "query parameters");

/** A checked query. */
export type ManifestQuery = z.output<typeof manifestQuerySchema>;
