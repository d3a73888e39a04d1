/** An output that goes into the store while it is made. */
import { asSedimentError, SedimentError } from "../errors.ts";
import type { RangeReader } from "../parquet/range_reader.ts";
import type { ObjectStore, ObjectUpload } from "../storage/object_store.ts";
import type { StoredInput } from "./object_readers.ts";

/**
 * See the module's head. What an earlier merge wrote can be copied inside the store: then no page's CRC is looked at,
 * and in its stead the object's ETag says that the bytes are those of which the commit told. It is compared before the
 * first copy of an input, and with each copy again by the store.
 */
export class StreamedOutput {
  readonly #store: Pick<ObjectStore, "head">;
  readonly #key: string;
  readonly #upload: ObjectUpload;
  readonly #inputs: ReadonlyMap<RangeReader, StoredInput>;
  readonly #signal: AbortSignal;
  /** Whether an input's object is still the one of the catalog. */
  readonly #unchanged = new Map<StoredInput, boolean>();
  byteLength = 0;

  constructor(
    store: Pick<ObjectStore, "head">,
    key: string,
    upload: ObjectUpload,
    inputs: ReadonlyMap<RangeReader, StoredInput>,
    signal: AbortSignal,
  ) {
    this.#store = store;
    this.#key = key;
    this.#upload = upload;
    this.#inputs = inputs;
    this.#signal = signal;
  }

  async write(chunk: Uint8Array): Promise<void> {
    await this.#taken(this.#upload.write(chunk));
    this.byteLength += chunk.byteLength;
  }

  async copy(reader: RangeReader, start: number, length: number): Promise<boolean> {
    const input = this.#inputs.get(reader);
    if (!input?.etag || length < this.#upload.smallestCopy) return false;
    if (!await this.#isUnchanged(input)) return false;
    const { object_key: key, etag } = input;
    const range = { key, etag, start: input.start_byte + start, length };
    await this.#taken(this.#upload.copyFrom(range));
    this.byteLength += length;
    return true;
  }

  async put(): Promise<{ etag: string }> {
    try {
      return await this.#upload.finish();
    } catch (thrown) {
      const error = asSedimentError(thrown);
      if (error.code !== "already_stored") throw error;
      throw new SedimentError("store_failed", `${this.#key} holds what this worker did not put`, {
        expected: "a key that nobody else writes to",
        cause: error,
      });
    }
  }

  async discard(): Promise<void> {
    await this.#upload.abort();
  }

  /** The merge lays what is wrong with bytes to an input; that the store refuses the output is no input's fault. */
  async #taken(done: Promise<void>): Promise<void> {
    try {
      await done;
    } catch (thrown) {
      const error = asSedimentError(thrown);
      if (error.retryable || error.status >= 500) throw error;
      throw new SedimentError(
        "misconfigured",
        `The store does not take the output: ${error.message}`,
        {
          cause: error,
        },
      );
    }
  }

  /** A bucket that was moved may have other ETags, with no byte changed: then the merge reads and checks the bytes. */
  async #isUnchanged(input: StoredInput): Promise<boolean> {
    const known = this.#unchanged.get(input);
    if (known !== undefined) return known;
    const found = await this.#store.head(input.object_key, { signal: this.#signal });
    const unchanged = found?.etag === input.etag;
    this.#unchanged.set(input, unchanged);
    return unchanged;
  }
}
