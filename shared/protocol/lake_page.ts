/** How the names of an Iceberg catalog are asked for, a page at a time. */
import * as z from "zod/mini";
import { wholeNumber } from "./fields.ts";

/** Names of a page at most. */
export const maxLakePage = 1000;

/** The query; who gives no token wants all in one answer. */
export const lakePageSchema = z.object({
  /** Empty: the first page. */
  pageToken: z.optional(
    z.string("a text").check(z.regex(/^[\w-]{0,64}$/, "the next-page-token of the last answer")),
  ),
  pageSize: z.optional(wholeNumber("a whole number, 1 or more", 1, 1_000_000)),
});

/** What {@link lakePageSchema} gives. */
export type LakePage = z.output<typeof lakePageSchema>;
