/** An object that goes to S3 as it comes: a part is filled while others are on their way. */
import { SedimentError } from "../errors.ts";
import { brokenOff, type RequestContext } from "./http_call.ts";
import type { ObjectInfo, ObjectUpload, StoredRange } from "./object_store.ts";
import type { S3Client } from "./s3_client.ts";
import { type MultipartTarget, S3Multipart } from "./s3_multipart.ts";
import { S3Parts } from "./s3_parts.ts";
import { retry } from "../retry.ts";
import { storeTries, type Tries } from "./store_tries.ts";

/** How an object is cut and sent. */
export interface S3UploadOptions extends MultipartTarget {
  bucket: string;
  /** Bytes of each part that is sent, but the last; what is copied is no smaller. */
  partBytes: number;
  /** Whether what is copied has to be cut to parts of that size too, as R2 wants it. */
  equalParts: boolean;
  /** Whether the store copies parts at all. */
  copies: boolean;
  /** Parts on their way at once. */
  concurrency: number;
  tries?: Tries;
}

/** Bytes of a part that is copied, at most: S3 takes 5 GiB, and copies smaller ones at once. */
const largestCopy = 128 * 1024 * 1024;

/**
 * At most `concurrency + 1` parts are in memory; one more while a range that is copied begins or ends inside of a
 * part. What fits into one part is a single PUT. An object is made by its last request only, and never twice: the
 * mark in its metadata tells whether it was, when the answer got lost.
 */
export class S3Upload implements ObjectUpload {
  readonly #requests: S3Multipart;
  readonly #context: RequestContext & { signal: AbortSignal };
  readonly #options: S3UploadOptions;
  readonly #stop = new AbortController();
  readonly #parts: S3Parts;
  /** The part that is being filled, and how far; and parts whose memory is free again. */
  #part: Uint8Array<ArrayBuffer> | undefined;
  #filled = 0;
  readonly #spare: Uint8Array<ArrayBuffer>[] = [];
  /** Where the part that is being filled is a range to be copied, that: the next one may follow on it. */
  #range: StoredRange | undefined;
  /** Whether an object has the ETag that a range of it was told with, by both. */
  readonly #unchanged = new Map<string, boolean>();
  #reading = 0;
  #size = 0;
  #done: ObjectInfo | undefined;

  /** @param signal stops every request but the abort */
  constructor(
    client: S3Client,
    key: string,
    options: S3UploadOptions,
    signal?: AbortSignal,
  ) {
    const stop = this.#stop.signal;
    this.#context = {
      action: "put",
      key,
      signal: signal === undefined ? stop : AbortSignal.any([signal, stop]),
    };
    this.#options = options;
    this.#requests = new S3Multipart(client, options.bucket, this.#context, options);
    this.#parts = new S3Parts(
      () => this.#requests.create(),
      this.#context,
      options.concurrency,
      (call) => this.#again(call),
    );
  }

  get heldBytes(): number {
    return this.#filled + this.#parts.bytes + this.#reading;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#assertOpen();
    await this.#endRange();
    await this.#append(chunk);
  }

  async copyFrom(wanted: StoredRange): Promise<boolean> {
    this.#assertOpen();
    const { partBytes, copies } = this.#options;
    if (!copies || wanted.length < partBytes || !await this.#isUnchanged(wanted)) return false;
    await this.#copy(wanted);
    return true;
  }

  async finish(): Promise<ObjectInfo> {
    if (this.#done !== undefined) return this.#done;
    this.#assertOpen();
    await this.#endRange();
    if (this.#parts.uploadId !== undefined) {
      if (this.#filled > 0) await this.#sendPart();
      await this.#parts.settled();
      this.#assertOpen();
    }
    const { contentType } = this.#options;
    const etag = await this.#again(() => this.#makeObject());
    this.#forget();
    return this.#done = { size: this.#size, etag, contentType };
  }

  async abort(): Promise<void> {
    if (this.#done !== undefined) return;
    this.#parts.failure ??= new SedimentError(
      "aborted",
      `Gave up the upload of ${this.#context.key}`,
    );
    this.#stop.abort(this.#parts.failure);
    await this.#parts.settled();
    this.#forget();
    if (this.#parts.uploadId === undefined) return;
    await this.#requests.abort(this.#parts.uploadId);
    this.#parts.uploadId = undefined;
  }

  #assertOpen(): void {
    if (this.#parts.failure !== undefined) throw brokenOff(this.#context, this.#parts.failure);
    if (this.#done === undefined) return;
    throw new SedimentError("internal", `The upload of ${this.#context.key} has ended`);
  }

  /** The last request, and what it came to where its answer is no answer. */
  async #makeObject(): Promise<string> {
    const { uploadId } = this.#parts;
    try {
      if (uploadId === undefined) {
        const body = this.#part?.subarray(0, this.#filled) ?? new Uint8Array();
        return await this.#requests.putWhole(body);
      }
      // Not every server minds If-None-Match here, nor does each answer the second of two completions.
      const found = await this.#requests.look();
      if (found?.ours) return found.etag;
      if (found && !this.#options.upsert) throw this.#taken();
      const etag = await this.#requests.complete(uploadId, this.#parts.parts);
      // Ceph 16 tells the ETag only when it is asked to complete once more.
      return etag || (await this.#requests.look())?.etag || "";
    } catch (thrown) {
      if (!(thrown instanceof SedimentError) || thrown.code !== "already_stored") throw thrown;
      const found = await this.#requests.look();
      if (found?.ours) return found.etag;
      throw thrown;
    }
  }

  #taken(): SedimentError {
    return new SedimentError("already_stored", `There is already an object ${this.#context.key}`);
  }

  async #append(chunk: Uint8Array): Promise<void> {
    const { partBytes } = this.#options;
    for (let rest = chunk; rest.byteLength > 0;) {
      this.#part ??= this.#spare.pop() ?? new Uint8Array(partBytes);
      const taken = rest.subarray(0, partBytes - this.#filled);
      this.#part.set(taken, this.#filled);
      this.#filled += taken.byteLength;
      this.#size += taken.byteLength;
      rest = rest.subarray(taken.byteLength);
      if (this.#filled === partBytes) await this.#sendPart();
    }
  }

  async #copy({ key, etag, start, length }: StoredRange): Promise<void> {
    const before = this.#range;
    if (before !== undefined && (before.key !== key || before.start + before.length !== start)) {
      await this.#endRange();
    }
    if (this.#filled > 0) {
      const head = Math.min(length, this.#options.partBytes - this.#filled);
      await this.#append(await this.#read({ key, etag, start, length: head }));
      start += head;
      length -= head;
    }
    if (length === 0) return;
    const range = this.#range ??= { key, etag, start, length: 0 };
    range.length += length;
    const { partBytes, equalParts } = this.#options;
    // what is left over must be a part by itself, where its size is free
    const size = equalParts ? partBytes : largestCopy, left = equalParts ? 0 : partBytes;
    while (range.length >= size + left) await this.#copyPart(range, size);
  }

  /** Copies the range that waits, or reads it where it is no part by itself. */
  async #endRange(): Promise<void> {
    const range = this.#range;
    if (range === undefined) return;
    this.#range = undefined;
    const { partBytes, equalParts } = this.#options;
    if (!equalParts && range.length >= partBytes) await this.#copyPart(range, range.length);
    else if (range.length > 0) await this.#append(await this.#read(range));
  }

  /** Begins to copy the first bytes of a range, which are taken off it. */
  async #copyPart(range: StoredRange, length: number): Promise<void> {
    const part = { ...range, length };
    range.start += length;
    range.length -= length;
    this.#size += length;
    await this.#parts.begin((id, number) => this.#requests.copy(id, number, part));
  }

  /** Asked once of each object, and not left to the copy's condition: Ceph and Supabase ignore that. */
  async #isUnchanged(range: StoredRange): Promise<boolean> {
    const id = `${range.key}\n${range.etag}`;
    const known = this.#unchanged.get(id);
    if (known !== undefined) return known;
    const unchanged = await this.#again(() => this.#requests.isUnchanged(range));
    this.#unchanged.set(id, unchanged);
    return unchanged;
  }

  async #read(range: StoredRange): Promise<Uint8Array> {
    this.#reading = range.length;
    try {
      return await this.#again(() => this.#requests.read(range));
    } catch (thrown) {
      throw this.#parts.failure ??= thrown;
    } finally {
      this.#reading = 0;
    }
  }

  async #sendPart(): Promise<void> {
    const part = this.#part!;
    const body = part.subarray(0, this.#filled);
    this.#part = undefined;
    this.#filled = 0;
    await this.#parts.begin(async (id, number) => {
      const etag = await this.#requests.send(id, number, body);
      this.#spare.push(part);
      return etag;
    }, body.byteLength);
  }

  #again<T>(call: () => Promise<T>): Promise<T> {
    return retry(call, storeTries(this.#options.tries), { signal: this.#context.signal });
  }

  #forget(): void {
    this.#part = undefined;
    this.#filled = 0;
    this.#spare.length = 0;
  }
}
