/** The schemas of single fields. */
import * as z from "zod/mini";
import { hashPattern, namePattern, nameText, uuidOfDigest, uuidPattern } from "./names.ts";

/** A table's name or a period tag. */
export const nameSchema = z.string("a string").check(z.regex(namePattern, nameText));

/** A UUID of any version; always lower case, as Postgres prints it. A pattern: zod's own format is 1 % of a browser's bundle. */
export const uuidSchema = z.string("a UUID").check(
  z.regex(uuidPattern, "a UUID"),
  z.toLowerCase(),
);

const datasetText = "a UUID, or the 64 hexadecimal digits of a SHA-256";

/** The id of a dataset: a UUID, or a SHA-256, of which one is made. */
export const datasetIdSchema = z.union([
  uuidSchema,
  z.pipe(z.string().check(z.regex(hashPattern)), z.transform(uuidOfDigest)),
], datasetText);

/** SHA-256 in hexadecimal; always lower case. */
export const hashSchema = z.string("a string")
  .check(z.regex(hashPattern, "64 hexadecimal digits, a SHA-256"), z.toLowerCase());

/** Where a page of a list goes on: base64, in either alphabet. An asset's key of 1024 characters may be in it. */
export const cursorSchema = z.string("a cursor of this service")
  .check(z.regex(/^[\w+/ =-]{1,8192}$/, "a cursor of this service"));

/** A whole number as JSON has it, or as its digits, as a query has it. */
export function wholeNumber(expected: string, least: number, most: number) {
  return z.pipe(
    z.union([z.int(), z.string().check(z.regex(/^\d{1,15}$/))], expected),
    z.transform(Number),
  ).check(z.refine((n) => n >= least && n <= most, expected));
}

/** A number of bytes, as a number or as its digits. */
export const byteCountSchema = wholeNumber(
  "a whole number of bytes, 0 or more, or its digits as a string",
  0,
  Number.MAX_SAFE_INTEGER,
);

/** Most entries of a page. */
export const maxPageSize = 1000;

/** The length of a page. */
export function limitSchema(fallback: number) {
  return z._default(wholeNumber("1 to 1000", 1, maxPageSize), fallback);
}
