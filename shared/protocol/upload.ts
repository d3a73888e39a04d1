/** What a client says of an upload before it sends the bytes: step 1's JSON and multipart's `metadata`. */
import * as z from "zod/mini";
import { byteCountSchema, datasetIdSchema, hashSchema, nameSchema, uuidSchema } from "./fields.ts";
import { formats } from "./names.ts";
import { maxSlices, offsetsText } from "./slices.ts";

/** The format of a file. */
export const formatSchema = z.enum(formats, '"parquet" or "avro"');

const wholeNumber = z.int("a whole number");

/** One table inside a body that concatenates several. */
const offsetSchema = z.object({
  table_name: nameSchema,
  start_byte: wholeNumber.check(z.minimum(0, "0 or more")),
  byte_length: wholeNumber.check(z.minimum(1, "1 or more")),
  format: z._default(formatSchema, "parquet"),
  num_rows: z.optional(wholeNumber.check(z.minimum(0, "0 or more"))),
}, "an object with table_name, start_byte, byte_length, format");

/** The tables of a concatenated body. */
export const offsetListSchema = z.array(offsetSchema, offsetsText).check(
  z.minLength(1, "at least one slice"),
  z.maxLength(maxSlices, `at most ${maxSlices} slices`),
);

/** `table_offsets` as an array, or as the JSON text of one. */
const tableOffsetsSchema = z.pipe(
  z.union([
    z.pipe(
      z.string(),
      z.transform((text: string, context) => {
        try {
          return JSON.parse(text) as unknown;
        } catch {
          context.issues.push({ code: "custom", message: offsetsText, input: text });
          return z.NEVER;
        }
      }),
    ),
    z.array(z.unknown()),
  ], offsetsText),
  offsetListSchema,
);

/** The fields as clients in the field send them; unknown ones are passed over, since none could widen an upload. */
export const uploadFieldsSchema = z.object({
  dataset_id: datasetIdSchema,
  table: nameSchema,
  period_tag: z.optional(nameSchema),
  file_size: byteCountSchema,
  content_hash: hashSchema,
  table_offsets: z.nullish(tableOffsetsSchema),
  format: z.optional(formatSchema),
  /** Accepted and unused, as `binary` is. */
  path: z.nullish(z.string("a string").check(z.maxLength(1024, "at most 1024 characters"))),
  binary: z.nullish(z.union([z.boolean(), z.string().check(z.maxLength(16))], "true or false")),
  /** The user for whom a service acts. */
  user_id: z.optional(uuidSchema),
}, "a JSON object");

/** Multipart's `metadata`: the size and the hash are those of the file that comes with it, unless given. */
export const multipartFieldsSchema = z.partial(uploadFieldsSchema, {
  file_size: true,
  content_hash: true,
});

/** The fields of `POST /compaction/upload`, beside its `file`. */
export const formUploadSchema = z.object({
  dataset_id: datasetIdSchema,
  table: nameSchema,
  period_tag: z.optional(nameSchema),
}, "form fields");

/** The id of a staged upload. */
export const stageIdSchema = z.guid("a UUID");
