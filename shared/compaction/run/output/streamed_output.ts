/** An output that goes into the store while it is made. */
import { asSedimentError, SedimentError } from "../../../errors.ts";
import type { RangeReader } from "../../../parquet/format/range_reader.ts";
import type { ObjectUpload } from "../../../storage/object_store.ts";
import { Checksum } from "../../checksum.ts";
import { atPart, failureClass } from "../failure_class.ts";
import type { StoredInput } from "./read_stored.ts";

/** "PAR1": the first row group lies behind it. */
const magicBytes = 4;

/**
 * See the module's head. What an earlier merge wrote can be copied inside the store: then no page's CRC is looked at,
 * and in its stead the object's ETag says that the bytes are those of which the commit told. An object that has another
 * one, as after a bucket was moved, is read and checked.
 */
export class StreamedOutput {
  readonly #key: string;
  readonly #upload: ObjectUpload;
  readonly #inputs: ReadonlyMap<RangeReader, StoredInput>;
  /** The file's first bytes, while they are all that was written: a file that is copied begins with the same. */
  #magic: Uint8Array | undefined;
  /** Of what was written; null once the store copied a part, whose bytes nobody sees here. */
  #checksum: Checksum | null = new Checksum();
  #ended: string | null | undefined;
  byteLength = 0;

  constructor(
    key: string,
    upload: ObjectUpload,
    inputs: ReadonlyMap<RangeReader, StoredInput>,
  ) {
    this.#key = key;
    this.#upload = upload;
    this.#inputs = inputs;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#checksum?.add(chunk);
    if (this.byteLength === 0 && chunk.byteLength === magicBytes) this.#magic = chunk.slice();
    else {
      await this.#sendMagic();
      await this.#taken(this.#upload.write(chunk));
    }
    this.byteLength += chunk.byteLength;
  }

  async copy(reader: RangeReader, start: number, length: number): Promise<boolean> {
    const input = this.#inputs.get(reader);
    if (!input?.etag) return false;
    const before = this.#magic !== undefined && start === magicBytes ? magicBytes : 0;
    if (before === 0) await this.#sendMagic();
    const { object_key: key, etag, start_byte } = input;
    const from = start_byte + start - before;
    const range = { key, etag, start: from, length: length + before };
    if (!await this.#taken(this.#upload.copyFrom(range))) return false;
    this.#magic = undefined;
    this.#checksum = null;
    this.byteLength += length;
    return true;
  }

  async put(): Promise<{ etag: string; checksum: string | null }> {
    try {
      await this.#sendMagic();
      const { etag } = await this.#upload.finish();
      this.#ended ??= this.#checksum?.end() ?? null;
      return { etag, checksum: this.#ended };
    } catch (thrown) {
      const error = asSedimentError(thrown);
      if (error.code !== "already_stored") throw atPart(error, "store_write");
      throw new SedimentError("store_failed", `${this.#key} holds what this worker did not put`, {
        expected: "a key that nobody else writes to",
        cause: error,
      });
    }
  }

  async discard(): Promise<void> {
    await this.#upload.abort();
  }

  async #sendMagic(): Promise<void> {
    const magic = this.#magic;
    if (magic === undefined) return;
    this.#magic = undefined;
    await this.#taken(this.#upload.write(magic));
  }

  /** What is wrong with the output is no input's fault, whatever the store calls it. */
  async #taken<T>(done: Promise<T>): Promise<T> {
    try {
      return await done;
    } catch (thrown) {
      const error = asSedimentError(thrown);
      if (failureClass(error) !== "data") throw atPart(error, "store_write");
      throw new SedimentError("store_failed", `The output was not taken: ${error.message}`, {
        extra: { part: "store_write" },
        cause: error,
      });
    }
  }
}
