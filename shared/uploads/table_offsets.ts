/** The `table_offsets` of a concatenated body: which bytes belong to which table. */
import * as z from "zod";
import { SedimentError } from "../errors.ts";
import { nameSchema } from "../catalog/names.ts";

/** One table's bytes within a body. */
export interface Slice {
  table: string;
  /** First byte. */
  start: number;
  /** Bytes, above zero. */
  length: number;
  format: "parquet" | "avro";
  /** Rows that the client says are there, to be compared with what is found. */
  rows?: number;
}

/** More slices than this are refused: the upload token, which carries them, rides in a URL. */
export const maxSlices = 128;

const wholeNumber = z.int("a whole number");

const offsetSchema = z.object({
  table_name: nameSchema,
  start_byte: wholeNumber.min(0, "0 or more"),
  byte_length: wholeNumber.min(1, "1 or more"),
  format: z.enum(["parquet", "avro"], '"parquet" or "avro"').default("parquet"),
  num_rows: wholeNumber.min(0, "0 or more").optional(),
}, "an object with table_name, start_byte, byte_length, format");

/** `table_offsets` as an array, or as the JSON text of one. */
export const tableOffsetsSchema = z.union([
  z.string().transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.addIssue({ code: "custom", message: "an array, or a JSON string of one" });
      return z.NEVER;
    }
  }),
  z.array(z.unknown()),
], "an array, or a JSON string of one").pipe(
  z.array(offsetSchema, "an array, or a JSON string of one")
    .min(1, "at least one slice")
    .max(maxSlices, `at most ${maxSlices} slices`),
);

/**
 * The slices of a body in the order of their bytes' declaration, which is the order of their ordinals.
 * Gaps are allowed; overlaps and ends past the body are not.
 *
 * @param size length of the body, bytes
 * @throws SedimentError `invalid_offsets`
 */
export function slicesOf(offsets: z.infer<typeof tableOffsetsSchema>, size: number): Slice[] {
  const inOrder = offsets.map((offset, ordinal) => ({ offset, ordinal }))
    .sort((a, b) => a.offset.start_byte - b.offset.start_byte);
  let end = 0;
  for (const { offset, ordinal } of inOrder) {
    const field = `table_offsets[${ordinal}]`;
    if (offset.start_byte < end) {
      throw new SedimentError(
        "invalid_offsets",
        `The slice at ${offset.start_byte} begins before byte ${end}, where another one ends`,
        { field: `${field}.start_byte`, expected: "slices that do not overlap" },
      );
    }
    end = offset.start_byte + offset.byte_length;
    if (end > size) {
      throw new SedimentError("invalid_offsets", `The slice ends at byte ${end}`, {
        field: `${field}.byte_length`,
        expected: `an end within the body's ${size} bytes`,
      });
    }
  }
  return offsets.map((offset) => ({
    table: offset.table_name,
    start: offset.start_byte,
    length: offset.byte_length,
    format: offset.format,
    ...(offset.num_rows === undefined ? {} : { rows: offset.num_rows }),
  }));
}
