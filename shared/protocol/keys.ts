/** What clients say, and are told, of read-only keys. */
import * as z from "zod/mini";
import { hidden } from "./asset_path.ts";
import { wholeNumber } from "./fields.ts";

/** Seconds that a key lasts where its owner does not say: 30 days. */
const keySeconds = 2_592_000;

const labelText = "at most 200 characters, none of them hidden";

/** The body with which a key is made. Strict: an end that is written wrong must not be another. */
export const keySchema = z.strictObject({
  /** What its owner knows it by. */
  label: z._default(
    z.string("a text").check(
      z.maxLength(200, labelText),
      z.refine((label) => !hidden.test(label), labelText),
    ),
    "",
  ),
  /** Until 366 days: a key always has an end. */
  expires_in: z._default(wholeNumber("60 to 31622400 seconds", 60, 31_622_400), keySeconds),
});

/** The body with which a key's secret is exchanged for a session. */
export const keySessionSchema = z.strictObject({
  secret: z.string("the secret of a key").check(
    z.regex(/^sdk_[0-9a-f]{64}$/, "the secret of a key: sdk_ and 64 hexadecimal digits"),
  ),
});
