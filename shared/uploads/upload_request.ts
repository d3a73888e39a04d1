/** A checked description of an upload. */
import type * as z from "zod/mini";
import { SedimentError } from "../errors.ts";
import { noPeriod } from "../protocol/names.ts";
import type { uploadFieldsSchema } from "../protocol/upload.ts";
import { type Slice, slicesOf } from "./slices.ts";

/** What is said of an upload, whichever way it came. */
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

/**
 * The upload that the fields describe.
 *
 * @throws SedimentError `empty_file`, `invalid_offsets`
 */
export function uploadRequestOf(fields: z.output<typeof uploadFieldsSchema>): UploadRequest {
  const { file_size: size } = fields;
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
    periodTag: fields.period_tag ?? noPeriod,
    size,
    contentHash: fields.content_hash,
    slices: offsets === undefined
      ? [{ table: fields.table, start: 0, length: size, format: fields.format ?? "parquet" }]
      : slicesOf(offsets, size),
    concatenated: offsets !== undefined,
  };
}
