/** Where the bytes of a run's output go: streamed into a store that takes that, else held and put by one request. */
import type { Sink } from "../../../parquet/merge/merge_plan.ts";
import type { RangeReader } from "../../../parquet/format/range_reader.ts";
import type { ObjectStore } from "../../../storage/object_store.ts";
import { HeldOutput, outputType } from "./held_output.ts";
import type { StoredInput } from "./read_stored.ts";
import { StreamedOutput } from "./streamed_output.ts";

/** An output being written under the key that the catalog planned for it. No object is there before {@link put}. */
export interface RunOutput extends Sink {
  /** Bytes so far. */
  readonly byteLength: number;
  /** Makes the object; may be called again when that failed. `store_failed`, `aborted`. */
  put(): Promise<{ etag: string; checksum: string | null }>;
  /** Gives up what was not put. Never throws. */
  discard(): Promise<void>;
}

/** What an output is opened with. */
export interface OutputSource {
  /** Bytes that are likely to come. */
  expectedBytes: number;
  /** The inputs by what reads them. */
  inputs: ReadonlyMap<RangeReader, StoredInput>;
}

/**
 * Opens an output. The key is the catalog's already, so that nothing is ever stored that it does not know of.
 *
 * @param signal stops every request, but for giving up
 */
export async function openOutput(
  store: ObjectStore,
  key: string,
  { expectedBytes, inputs }: OutputSource,
  signal: AbortSignal,
): Promise<RunOutput> {
  const upload = await store.startUpload?.(key, { contentType: outputType, upsert: false, signal });
  return upload === undefined
    ? new HeldOutput(store, key, expectedBytes, signal)
    : new StreamedOutput(key, upload, inputs);
}
