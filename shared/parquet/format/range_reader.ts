import { SedimentError } from "../../errors.ts";

/** Random access to bytes of a known size: an object, a slice of one, or bytes in memory. */
export interface RangeReader {
  /** Size in bytes. */
  readonly size: number;
  /**
   * Bytes [start, start + length), exactly `length` of them. A range outside of [0, size) is an error
   * (`invalid_parquet`): offsets come from hostile files. The bytes may be a view of shared memory; do not
   * write to them.
   */
  read(start: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
  /**
   * Says that bytes which {@link read} gave are not needed any more. A reader that made them for this one read
   * can free or reuse them now (`bytes.buffer.transfer(0)`) instead of leaving megabytes to the collector.
   */
  release?(bytes: Uint8Array): void;
}

/** Whether [start, start + length) lies inside of `size` bytes; all safe integers. */
export function isInside(start: number, length: number, size: number): boolean {
  return Number.isSafeInteger(start) && Number.isSafeInteger(length) && start >= 0 && length >= 0 &&
    start <= size - length;
}

/** Throws `invalid_parquet` unless the range lies inside. */
export function checkRange(start: number, length: number, size: number): void {
  if (!isInside(start, length, size)) {
    throw new SedimentError(
      "invalid_parquet",
      `the range of ${length} bytes at ${start} is outside of the ${size} bytes of the file`,
    );
  }
}

/** A reader over bytes in memory; reads are views, not copies. */
export function bytesReader(bytes: Uint8Array): RangeReader {
  return {
    size: bytes.length,
    read(start, length, signal) {
      return Promise.try(() => {
        throwIfAborted(signal);
        checkRange(start, length, bytes.length);
        return bytes.subarray(start, start + length);
      });
    },
  };
}

/** Throws `aborted` when the signal has fired. */
export function throwIfAborted(signal?: AbortSignal): void {
  if (signal?.aborted) {
    throw new SedimentError("aborted", "the read was stopped", { cause: signal.reason });
  }
}
