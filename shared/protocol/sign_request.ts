/** The request that an engine wants signed: RemoteSignRequest of Iceberg's REST specification. */
import * as z from "zod/mini";

/** Bytes that such a request has at most. */
export const maxSignRequestBytes = 16 * 1024;

/** The body with which a signature is asked for. */
export const signRequestSchema = z.object({
  region: z.string("a region").check(z.maxLength(64, "a region")),
  uri: z.string("a URL").check(z.maxLength(4096, "a URL of 4096 characters at most")),
  method: z.string("GET or HEAD").check(z.maxLength(16, "GET or HEAD")),
  headers: z.record(
    z.string(),
    z.array(z.string("a text"), "a list of texts"),
    "lists of texts by the headers' names",
  ),
  /** Which kind of store. */
  provider: z.optional(z.nullable(z.literal("s3", "s3"))),
});

/** What {@link signRequestSchema} gives. */
export type SignRequest = z.output<typeof signRequestSchema>;
