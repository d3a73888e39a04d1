/** The slices of a body: which bytes belong to which table. */
import type * as z from "zod/mini";
import { SedimentError } from "../errors.ts";
import type { Format } from "../protocol/names.ts";
import { sliceFault } from "../protocol/slices.ts";
import type { offsetListSchema } from "../protocol/upload.ts";

/** One table's bytes within a body. */
export interface Slice {
  table: string;
  /** First byte. */
  start: number;
  /** Bytes, above zero. */
  length: number;
  format: Format;
  /** Rows that the client says are there, to be compared with what is found. */
  rows?: number;
}

/**
 * The slices of a body in the order of their bytes' declaration, which is the order of their ordinals.
 * Gaps are allowed; overlaps and ends past the body are not.
 *
 * @param size length of the body, bytes
 * @throws SedimentError `invalid_offsets`
 */
export function slicesOf(offsets: z.output<typeof offsetListSchema>, size: number): Slice[] {
  const fault = sliceFault(offsets, size);
  if (fault !== null) {
    const { field, detail, expected } = fault;
    throw new SedimentError("invalid_offsets", detail, { field, expected });
  }
  return offsets.map((offset) => ({
    table: offset.table_name,
    start: offset.start_byte,
    length: offset.byte_length,
    format: offset.format,
    ...(offset.num_rows === undefined ? {} : { rows: offset.num_rows }),
  }));
}
