/** One range of an input's object, and what it means that it can't be had. */
import { asSedimentError, SedimentError } from "../../../errors.ts";
import type { ObjectStore } from "../../../storage/object_store.ts";
import { checksumOf } from "../../checksum.ts";
import { atPart, failureClass } from "../failure_class.ts";

/** Where an input's bytes are. */
export interface StoredInput {
  id: string;
  object_key: string;
  start_byte: number;
  byte_length: number;
  /** Of the object, as the store gave it when it was stored. */
  etag?: string | null;
  /** Of its own bytes; absent: not known. */
  checksum?: string | null;
}

/** What a first try says may be a mistake of a moment: a 404 that is not so, a range that came short. */
const tries = 2;

/**
 * Bytes [start, start + length) of an input, which are compared with its checksum where they are all of it.
 *
 * @throws SedimentError with the input's id as `extra.file`: `object_missing` where a second request and a look at the
 *   object itself agree that it is gone, `object_changed` where it is shorter or other bytes come twice, `misconfigured`
 *   where the store refuses it; `store_failed` for what it may give another time
 */
export async function readStored(
  store: Pick<ObjectStore, "getRange" | "head">,
  input: StoredInput,
  start: number,
  length: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const from = input.start_byte + start;
  const whole = length === input.byte_length;
  let failure: SedimentError | undefined;
  for (let attempt = 0; attempt < tries; attempt++) {
    try {
      const bytes = await store.getRange(input.object_key, from, length, { signal });
      if (bytes.byteLength !== length) {
        const told = `${bytes.byteLength} bytes of ${length} at ${from}`;
        failure = new SedimentError("store_failed", `${input.object_key} gave ${told}`);
      } else if (whole && input.checksum && checksumOf(bytes) !== input.checksum) {
        const told = `${length} bytes at ${from} that are not those of checksum ${input.checksum}`;
        failure = lost(input, "object_changed", `${input.object_key} gave ${told}`);
      } else return bytes;
    } catch (thrown) {
      failure = asSedimentError(thrown);
      if (failure.code === "aborted" || signal.aborted) throw failure;
    }
  }
  throw await whatFailed(store, input, from + length, failure!, signal);
}

/** A status alone does not tell a lost object: some stores answer 500 to a range past the end. The object does. */
async function whatFailed(
  store: Pick<ObjectStore, "head">,
  input: StoredInput,
  end: number,
  failure: SedimentError,
  signal: AbortSignal,
): Promise<SedimentError> {
  if (failure.code === "object_changed") return failure;
  if (failure.code === "misconfigured") return lost(input, "misconfigured", failure.message);
  const missing = failure.code === "object_missing" || failure.code === "range_not_satisfiable";
  if (!missing && failure.code !== "store_failed") return failure;
  let found;
  try {
    found = await store.head(input.object_key, { signal });
  } catch (thrown) {
    const error = asSedimentError(thrown);
    // the object can't be asked about: then the first failure says more
    return failureClass(error) === "environment"
      ? atPart(missing ? error : failure, "store_read")
      : error;
  }
  if (found === null) return lost(input, "object_missing", failure.message, failure);
  if (found.size < end) {
    const told = `${found.size} bytes, and ${input.byte_length} at ${input.start_byte} were stored`;
    return lost(input, "object_changed", `${input.object_key} has ${told}`, failure);
  }
  // It is there, whole: what it can't give now it may give another time.
  return new SedimentError("store_failed", failure.message, {
    extra: { part: "store_read" },
    cause: failure,
  });
}

function lost(
  input: StoredInput,
  code: "object_missing" | "object_changed" | "misconfigured",
  detail: string,
  cause?: unknown,
): SedimentError {
  return new SedimentError(code, detail, { extra: { file: input.id, part: "store_read" }, cause });
}
