/** An output that is held in memory, since the store takes one PUT of known bytes. */
import { asSedimentError, SedimentError } from "../../../errors.ts";
import type { ObjectStore } from "../../../storage/object_store.ts";
import { checksumOf } from "../../checksum.ts";
import { atPart } from "../failure_class.ts";
import { OutputBuffer } from "./output_buffer.ts";

/** Larger outputs are sent slice by slice: Deno's fetch makes three copies of the bytes that it is given at once. */
const wholePutBytes = 1024 * 1024;
const sliceBytes = 256 * 1024;

/** The content type of every output. */
export const outputType = "application/vnd.apache.parquet";

/** See the module's head. The planner bounds it, by the target size of files. */
export class HeldOutput {
  readonly #store: Pick<ObjectStore, "put" | "putStream" | "head">;
  readonly #key: string;
  readonly #signal: AbortSignal;
  #buffer: OutputBuffer;

  /** @param expectedBytes bytes that are likely to come */
  constructor(
    store: Pick<ObjectStore, "put" | "putStream" | "head">,
    key: string,
    expectedBytes: number,
    signal: AbortSignal,
  ) {
    this.#store = store;
    this.#key = key;
    this.#signal = signal;
    this.#buffer = new OutputBuffer(expectedBytes);
  }

  get byteLength(): number {
    return this.#buffer.bytes().byteLength;
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#buffer.write(chunk);
  }

  /** `checksum` is of the bytes that were put. */
  async put(): Promise<{ etag: string; checksum: string | null }> {
    const { etag } = await this.#putOnce();
    return { etag, checksum: checksumOf(this.#buffer.bytes()) };
  }

  /** A key that is taken was taken by our own earlier try: run, token and ordinal are in it. */
  async #putOnce(): Promise<{ etag: string }> {
    const bytes = this.#buffer.bytes(), key = this.#key, signal = this.#signal;
    try {
      const options = { contentType: outputType, upsert: false, signal };
      if (bytes.byteLength <= wholePutBytes) return await this.#store.put(key, bytes, options);
      const size = bytes.byteLength;
      return await this.#store.putStream(key, slicesOf(bytes), { ...options, size });
    } catch (thrown) {
      const error = asSedimentError(thrown);
      if (error.code !== "already_stored") throw atPart(error, "store_write");
      const found = await this.#store.head(key, { signal });
      if (found?.size === bytes.byteLength) return found;
      throw new SedimentError("store_failed", `${key} holds ${found?.size} bytes`, {
        expected: `${bytes.byteLength} bytes, as they were put`,
        cause: error,
      });
    }
  }

  discard(): Promise<void> {
    this.#buffer = new OutputBuffer(0);
    return Promise.resolve();
  }
}

/** The bytes as a stream of views. */
function slicesOf(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at < bytes.byteLength) controller.enqueue(bytes.subarray(at, at + sliceBytes));
      else controller.close();
      at += sliceBytes;
    },
  }, { highWaterMark: 0 });
}
