/** What clients say when they share a dataset. */
import * as z from "zod/mini";
import { nameSchema, uuidSchema, wholeNumber } from "./fields.ts";

/** Seconds that an invitation lasts where its owner does not say: a week. */
const invitationSeconds = 604_800;

/** The body of an invitation. Strict: a bound that is written wrong must not be none. */
export const invitationSchema = z.strictObject({
  /** `owner` hands the dataset over to whoever accepts. */
  role: z.enum(["owner", "writer", "reader"], "owner, writer or reader"),
  /** The only user who may accept; absent: whoever holds the token. */
  user_id: z.optional(uuidSchema),
  /** Of a handover: what the old owner becomes; absent: nothing. */
  keep_role: z.optional(z.enum(["writer", "reader"], "writer or reader")),
  expires_in: z._default(
    wholeNumber("60 to 2592000 seconds", 60, 2_592_000),
    invitationSeconds,
  ),
});

/** The body with which an invitation is accepted. */
export const acceptanceSchema = z.strictObject({
  token: z.string("the token of an invitation").check(
    z.regex(/^sdi_[0-9a-f]{64}$/, "the token of an invitation"),
  ),
});

/** The body with which a table is renamed. */
export const renameSchema = z.strictObject({ name: nameSchema });
