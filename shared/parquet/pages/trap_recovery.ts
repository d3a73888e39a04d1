/**
 * After a trap of the kernels what their memory holds may be anything: the rows of other inputs that waited in it are
 * read again, into a new instance.
 */
import type { RangeReader } from "../range_reader.ts";

/** An input that is added, or whose rows wait in the open row group. */
export interface Taking {
  id: string;
  reader: RangeReader;
  /** Whether an earlier merge wrote it. */
  trusted: boolean;
  /** Its row groups with rows that are left out: they are written already. */
  from: number;
}

/**
 * Adds inputs again whose rows waited.
 * @param wholeFileBytes files up to this size are read whole
 * @param add takes an input, and its bytes when it was read whole
 */
export async function addAgain(
  waiting: readonly Taking[],
  wholeFileBytes: number,
  add: (taking: Taking, bytes: Uint8Array | undefined) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  for (const taking of waiting) {
    const { reader } = taking;
    const small = reader.size <= wholeFileBytes;
    await add(taking, small ? await reader.read(0, reader.size, signal) : undefined);
  }
}
