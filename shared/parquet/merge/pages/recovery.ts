/**
 * After a trap of the kernels, or when memory is over for what waits in them, what they hold is given up: the rows of
 * other inputs that waited there are read again, into a new instance.
 */
import { asSedimentError, type SedimentError } from "../../../errors.ts";
import { isTrap, trapped } from "../../kernels/trap.ts";
import { atPlace } from "../../format/parquet_error.ts";
import type { Rejection } from "../union/set_apart.ts";
import { SetApart } from "../union/set_apart.ts";
import type { RangeReader } from "../../format/range_reader.ts";

/** An input that is added, or whose rows wait in the open row group. */
export interface Taking {
  id: string;
  reader: RangeReader;
  /** Whether an earlier merge wrote it. */
  trusted: boolean;
  /** Its row groups with rows that are left out: they are written already. */
  from: number;
  /** Rows of all of it. */
  rows: number;
}

/** Thrown on the way of an input into kernels that were given up meanwhile: it is to be added again. */
export class StartedAnew extends Error {
  override readonly name = "StartedAnew";
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

/** An input that is left out, as the merge's result has it; throws what is not the input's fault. */
export function rejection(error: unknown, id: string): Rejection {
  const setApart = error instanceof SetApart ? error : undefined;
  const known = isTrap(error) ? trapped(error) : asSedimentError(setApart?.error ?? error);
  const ours = known.status >= 500 || known.code === "invalid_config"; // the table's keys, which no input made
  if (known.retryable || ours) throw known;
  // schemas were compared before (SetApart): what the pages say of it is that a value does not fit the output's type
  const apart = setApart?.kind ?? (known.code === "schema_incompatible" ? "values" : undefined);
  return { id, error: atPlace(known, { file: id }) as SedimentError, ...(apart && { apart }) };
}
