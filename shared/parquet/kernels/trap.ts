import type { SedimentError } from "../../errors.ts";
import { parquetError, type ParquetPlace } from "../format/parquet_error.ts";

/**
 * Whether an error is one that no input should be able to cause: a trap of wasm, a stack that is used up, a view
 * outside of the memory. The instance must not be used any more.
 */
export function isTrap(error: unknown): boolean {
  return error instanceof WebAssembly.RuntimeError || error instanceof RangeError;
}

/** What such an error says of the file that was read: it can't be taken, whosever fault that is. */
export function trapped(error: unknown, place: ParquetPlace = {}): SedimentError {
  const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return parquetError(
    "unsupported_parquet",
    `reading it made the kernels stop (${reason})`,
    place,
    {
      cause: error,
    },
  );
}
