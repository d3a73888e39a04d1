import { SedimentError } from "../../errors.ts";
import type { RangeReader } from "../../parquet/format/range_reader.ts";

/** Bytes of a file from `start` on. */
export interface Segment {
  start: number;
  bytes: Uint8Array;
}

/** A reader over parts of a file that are in memory. @param size the file's bytes */
export function heldReader(size: number, segments: readonly Segment[]): RangeReader {
  return {
    size,
    read(start, length) {
      const held = segments.find((one) =>
        start >= one.start && start + length <= one.start + one.bytes.length
      );
      return held === undefined
        ? Promise.reject(
          new SedimentError("internal", `the ${length} bytes at ${start} were not fetched`),
        )
        : Promise.resolve(held.bytes.subarray(start - held.start, start - held.start + length));
    },
  };
}
