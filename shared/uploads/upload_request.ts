/** What a client says of an upload before it sends the bytes: step 1's JSON and multipart's `metadata`. */
import * as z from "zod";
import { SedimentError } from "../errors.ts";
import { byteCountSchema, datasetIdSchema, hashSchema, nameSchema } from "../catalog/names.ts";
import { type Slice, slicesOf, tableOffsetsSchema } from "./table_offsets.ts";

const formatSchema = z.enum(["parquet", "avro"], '"parquet" or "avro"');

/** The fields as clients in the field send them; `path` and `binary` are accepted and unused. */
export const uploadFieldsSchema = z.object({
  dataset_id: datasetIdSchema,
  table: nameSchema,
  period_tag: nameSchema.optional(),
  /** Older name of `period_tag`. */
  kc_period_tag: nameSchema.optional(),
  file_size: byteCountSchema,
  content_hash: hashSchema,
  table_offsets: tableOffsetsSchema.nullish(),
  format: formatSchema.optional(),
  path: z.string("a string").max(1024, "at most 1024 characters").nullish(),
  binary: z.union([z.boolean(), z.string().max(16)], "true or false").nullish(),
  /** The user for whom a service acts. */
  user_id: z.guid("a UUID").optional(),
}, "a JSON object");

/** Multipart's `metadata`: the size and the hash are those of the file that comes with it, unless given. */
export const multipartFieldsSchema = uploadFieldsSchema.partial({
  file_size: true,
  content_hash: true,
});

/** A checked description of an upload. */
export interface UploadRequest {
  datasetId: string;
  table: string;
  periodTag: string;
  /** Length of the body, bytes. */
  size: number;
  /** SHA-256 of the body, lower-case hexadecimal. */
  contentHash: string;
  /** One slice that is the whole body when there are no offsets. */
  slices: Slice[];
  /** Whether the client sent offsets: the object then holds slices rather than one file. */
  concatenated: boolean;
}

/** The period tag of data that has none. */
export const noPeriod = "0";

/**
 * The upload that the fields describe.
 *
 * @throws SedimentError `invalid_request` when both names of the period tag differ, `empty_file`,
 *   `invalid_offsets`
 */
export function uploadRequestOf(fields: z.infer<typeof uploadFieldsSchema>): UploadRequest {
  const { period_tag, kc_period_tag, file_size: size } = fields;
  if (period_tag !== undefined && kc_period_tag !== undefined && period_tag !== kc_period_tag) {
    throw new SedimentError("invalid_request", "`period_tag` and `kc_period_tag` differ", {
      field: "kc_period_tag",
      expected: "the same value as `period_tag`, or only one of them",
    });
  }
  if (size === 0) {
    throw new SedimentError("empty_file", "The file has no bytes", {
      field: "file_size",
      expected: "1 byte or more",
    });
  }
  const offsets = fields.table_offsets ?? undefined;
  return {
    datasetId: fields.dataset_id,
    table: fields.table,
    periodTag: period_tag ?? kc_period_tag ?? noPeriod,
    size,
    contentHash: fields.content_hash,
    slices: offsets === undefined
      ? [{ table: fields.table, start: 0, length: size, format: fields.format ?? "parquet" }]
      : slicesOf(offsets, size),
    concatenated: offsets !== undefined,
  };
}
