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
