/** The kinds of value that the SQL functions' JSON is made of. */
import * as z from "zod";

export const uuid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
/** A bigint identity; safe as a number up to 2^53. */
export const id = z.number().int().positive();
export const count = z.number().int().nonnegative();
/** ISO 8601 with an offset, microseconds kept. */
export const time = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/);
/** Any JSON, as it was stored. */
export const json = z.unknown();
