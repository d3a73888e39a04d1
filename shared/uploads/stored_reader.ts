/** A range reader over an object, or over a slice of one. */
import { SedimentError } from "../errors.ts";
import { checkRange, type RangeReader } from "../parquet/format/range_reader.ts";
import type { ObjectStore } from "../storage/object_store.ts";

/** Reads [start, start + length) of an object as a file of its own; each read is a request. */
export function storedReader(
  store: Pick<ObjectStore, "getRange">,
  key: string,
  start: number,
  length: number,
): RangeReader {
  return {
    size: length,
    async read(from, count, signal) {
      checkRange(from, count, length);
      const bytes = await store.getRange(key, start + from, count, { signal });
      if (bytes.byteLength === count) return bytes;
      throw new SedimentError(
        "object_missing",
        `${key} gave ${bytes.byteLength} bytes of ${count} at ${start + from}`,
      );
    },
  };
}
