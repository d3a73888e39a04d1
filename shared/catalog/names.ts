/** The schemas of the words that name data: datasets, tables, period tags, hashes. */
import * as z from "zod";

const name = /^[A-Za-z0-9_-]{1,64}$/;

/** A table's name or a period tag; both become folders of an object key, hence the narrow alphabet. */
export const nameSchema = z.string("a string").regex(name, "1 to 64 of A-Z a-z 0-9 _ -");

/** A dataset's id; always lower case, as Postgres prints it. */
export const datasetIdSchema = z.guid("a UUID").transform((id) => id.toLowerCase());

/** SHA-256 in hexadecimal; always lower case. */
export const hashSchema = z.string("a string")
  .regex(/^[0-9a-fA-F]{64}$/, "64 hexadecimal digits, a SHA-256")
  .transform((hash) => hash.toLowerCase());

/** Where a page of a list goes on: base64, in either alphabet. An asset's key of 1024 characters may be in it. */
export const cursorSchema = z.string("a cursor of this service")
  .regex(/^[\w+/ =-]{1,8192}$/, "a cursor of this service");

/** A number of bytes, as a number or as its digits. */
export const byteCountSchema = z.union([
  z.int(),
  z.string().regex(/^\d{1,15}$/).transform(Number),
], "a whole number of bytes, or its digits as a string")
  .refine((size) => size >= 0, "a number of bytes that is not negative");

/** The id of a staged upload. */
export const stageIdSchema = z.guid("a UUID");
