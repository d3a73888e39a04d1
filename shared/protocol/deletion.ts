/** What clients say when they delete. */
import * as z from "zod/mini";

/** The query of every DELETE. Strict: a wish that is written wrong must not delete at another pace than was meant. */
export const deletionQuerySchema = z.strictObject({
  /** `now`: objects are deleted at once, and with them all older versions. */
  purge: z.optional(z.literal("now", "now, or nothing")),
}, "query parameters");

/** The id of a deletion, in its path. */
export const deletionIdSchema = z.guid("a UUID, the deletion_id of a receipt");
