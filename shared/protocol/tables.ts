/** The query of the tables: `GET /battle-data/tables`. */
import * as z from "zod/mini";
import { cursorSchema, datasetIdSchema, wholeNumber } from "./fields.ts";

/** Most data files that are looked at for a page of tables. */
const mostFiles = 10_000;

/** Strict, as the manifest's is. */
export const tablesQuerySchema = z.strictObject({
  dataset_id: datasetIdSchema,
  /** A kept version; the newest when absent. */
  version: z.optional(wholeNumber("a version number", 0, Number.MAX_SAFE_INTEGER)),
  /** Data files that are looked at for a page. */
  limit: z._default(wholeNumber("1 to 10000", 1, mostFiles), 5000),
  cursor: z.optional(cursorSchema),
  /** `1`: each table with the schemas of its files. */
  schemas: z.optional(z.enum(["0", "1", "false", "true"], "0 or 1")),
}, "query parameters");

/** A checked query. */
export type TablesQuery = z.output<typeof tablesQuerySchema>;
