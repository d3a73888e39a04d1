/** What the console may ask. Strict, as all that is asked of compaction. */
import * as z from "zod/mini";
import { cursorSchema, datasetIdSchema, limitSchema, nameSchema, uuidSchema } from "./fields.ts";

/* Not among the fields: of those clients in browsers have all. */
/** A moment, as text with all its digits: a Date has none below milliseconds. */
const timeSchema = z.string("a time of ISO 8601")
  .check(z.refine(isTime, "a time of ISO 8601, from 1970 on, with its zone"));

/** Whether a text is a moment to PostgreSQL as well, which takes no 30th of February and no zone past 15:59. */
function isTime(text: string): boolean {
  const [, day, hours, zone] =
    /^(\d{4}-\d\d-\d\d)T(\d\d):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](\d\d):[0-5]\d)$/.exec(text) ??
      [];
  if (day === undefined || Number(hours) > 23 || Number(zone ?? 0) > 15) return false;
  const at = Date.parse(`${day}T00:00:00Z`);
  return at >= 0 && new Date(at).toISOString().startsWith(day);
}

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
  period_tag: z.optional(nameSchema),
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

const settingNames = z.array(z.string("a setting's name"), "names of settings");

const tableOrOthers = z.union([nameSchema, z.literal("*")], 'a table, or "*"');

/** Whether a request names a table, a user, or neither. */
const namesOne = (
  { dataset_id, table, user_id }: { dataset_id?: string; table?: string; user_id?: string },
) =>
  (dataset_id === undefined) === (table === undefined) &&
  (table === undefined || user_id === undefined);
const oneAtMost = "dataset_id with table, user_id, or neither";

/** The query of `GET /compaction/settings`: of which table or user what is set is to be there, however long ago. */
export const settingsQuerySchema = z.strictObject({
  dataset_id: z.optional(datasetIdSchema),
  table: z.optional(tableOrOthers),
  user_id: z.optional(uuidSchema),
}, "query parameters").check(z.refine(namesOne, oneAtMost));

/**
 * `PATCH /compaction/settings`: values by the settings' names, and which take their default; of the deployment, of a table (or
 * `*`, a dataset's other tables), or of a user.
 */
export const changeSettingsSchema = z.strictObject({
  dataset_id: z.optional(datasetIdSchema),
  table: z.optional(tableOrOthers),
  user_id: z.optional(uuidSchema),
  changes: z.optional(z.record(z.string(), z.unknown(), "an object of settings and values")),
  reset: z.optional(settingNames),
}, "a JSON object").check(z.refine(namesOne, oneAtMost));
