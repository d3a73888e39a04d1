/** An object that goes to S3 as it comes: a part is filled while others are on their way. */
import { SedimentError } from "../errors.ts";
import { brokenOff, type RequestContext } from "./http_call.ts";
import type { ObjectInfo, ObjectUpload, StoredRange } from "./object_store.ts";
import type { S3Client } from "./s3_client.ts";
import { type MultipartTarget, S3Multipart, type UploadedPart } from "./s3_multipart.ts";
import { type Tries, tryAgain } from "./try_again.ts";

/** How an object is cut and sent. */
export interface S3UploadOptions extends MultipartTarget {
  bucket: string;
  /** Bytes of each part but the last. */
  partBytes: number;
  /** Parts on their way at once. */
  concurrency: number;
  tries?: Tries;
}

/**
 * At most `concurrency + 1` parts are in memory; one more while a range that is copied begins or ends inside of a
 * part. What fits into one part is a single PUT. An object is made by its last request only, and never twice: the
 * mark in its metadata tells whether it was, when the answer got lost.
 */
export class S3Upload implements ObjectUpload {
  readonly smallestCopy: number;
  readonly #requests: S3Multipart;
  readonly #context: RequestContext & { signal: AbortSignal };
  readonly #options: S3UploadOptions;
  readonly #stop = new AbortController();
  #uploadId: string | undefined;
  readonly #parts: UploadedPart[] = [];
  readonly #underway = new Set<Promise<void>>();
  #failure: unknown;
  /** The part that is being filled, and how far; and parts whose memory is free again. */
  #part: Uint8Array<ArrayBuffer> | undefined;
  #filled = 0;
  readonly #spare: Uint8Array<ArrayBuffer>[] = [];
  /** Where the part that is being filled is a range to be copied, that; shorter than a part. */
  #range: StoredRange | undefined;
  #reading = 0;
  #sending = 0;
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
    this.smallestCopy = options.partBytes;
  }

  get heldBytes(): number {
    return this.#filled + this.#sending + this.#reading;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#assertOpen();
    await this.#readRange();
    await this.#append(chunk);
  }

  async copyFrom({ key, etag, start, length }: StoredRange): Promise<void> {
    this.#assertOpen();
    if (length === 0) return;
    const before = this.#range;
    if (before !== undefined && (before.key !== key || before.start + before.length !== start)) {
      await this.#readRange();
    }
    if (this.#filled > 0) {
      const head = Math.min(length, this.#options.partBytes - this.#filled);
      await this.#append(await this.#read({ key, etag, start, length: head }));
      start += head;
      length -= head;
    }
    if (length === 0) return;
    const range = this.#range ?? { key, etag, start, length: 0 };
    this.#range = range;
    range.length += length;
    const { partBytes } = this.#options;
    while (range.length >= partBytes) {
      const part = { ...range, length: partBytes };
      await this.#begin((id, number) => this.#requests.copy(id, number, part));
      range.start += partBytes;
      range.length -= partBytes;
      this.#size += partBytes;
    }
    if (range.length === 0) this.#range = undefined;
  }

  async finish(): Promise<ObjectInfo> {
    if (this.#done !== undefined) return this.#done;
    this.#assertOpen();
    await this.#readRange();
    if (this.#uploadId !== undefined) {
      if (this.#filled > 0) await this.#sendPart();
      await Promise.all(this.#underway);
      this.#assertOpen();
    }
    const { contentType } = this.#options;
    const etag = await this.#again(() => this.#makeObject());
    this.#forget();
    return this.#done = { size: this.#size, etag, contentType };
  }

  async abort(): Promise<void> {
    if (this.#done !== undefined) return;
    this.#failure ??= new SedimentError(
      "aborted",
      `The upload of ${this.#context.key} was given up`,
    );
    this.#stop.abort(this.#failure);
    await Promise.all(this.#underway);
    this.#forget();
    if (this.#uploadId === undefined) return;
    await this.#requests.abort(this.#uploadId);
    this.#uploadId = undefined;
  }

  #assertOpen(): void {
    if (this.#failure !== undefined) throw brokenOff(this.#context, this.#failure);
    if (this.#done === undefined) return;
    throw new SedimentError("internal", `The upload of ${this.#context.key} has ended`);
  }

  /** The last request, and what it came to where its answer is no answer. */
  async #makeObject(): Promise<string> {
    const { upsert } = this.#options;
    try {
      if (this.#uploadId === undefined) {
        const body = this.#part?.subarray(0, this.#filled) ?? new Uint8Array();
        return await this.#requests.putWhole(body);
      }
      // Not every server minds If-None-Match here, nor does each answer the second of two completions.
      const found = await this.#requests.look();
      if (found?.ours) return found.etag;
      if (found && !upsert) throw this.#taken();
      const etag = await this.#requests.complete(this.#uploadId, this.#parts);
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

  /** Reads the range that waits to be copied, since it does not fill a part by itself. */
  async #readRange(): Promise<void> {
    const range = this.#range;
    if (range === undefined) return;
    this.#range = undefined;
    await this.#append(await this.#read(range));
  }

  async #read(range: StoredRange): Promise<Uint8Array> {
    this.#reading = range.length;
    try {
      return await this.#again(() => this.#requests.read(range));
    } catch (thrown) {
      throw this.#failure ??= thrown;
    } finally {
      this.#reading = 0;
    }
  }

  async #sendPart(): Promise<void> {
    const part = this.#part!;
    const body = part.subarray(0, this.#filled);
    this.#part = undefined;
    this.#filled = 0;
    await this.#begin(async (id, number) => {
      const etag = await this.#requests.send(id, number, body);
      this.#spare.push(part);
      return etag;
    }, body.byteLength);
  }

  /** Begins to send the next part, once less than `concurrency` others are on their way. */
  async #begin(
    send: (uploadId: string, number: number) => Promise<string>,
    bytes = 0,
  ): Promise<void> {
    this.#sending += bytes;
    try {
      const uploadId = this.#uploadId ??= await this.#again(() => this.#requests.create());
      while (this.#underway.size >= this.#options.concurrency) await Promise.race(this.#underway);
      if (this.#failure !== undefined) throw this.#failure;
      const part = { number: this.#parts.length + 1, etag: "" };
      this.#parts.push(part);
      const sending = this.#again(() => send(uploadId, part.number))
        .then((etag) => void (part.etag = etag), (thrown) => void (this.#failure ??= thrown))
        .finally(() => {
          this.#sending -= bytes;
          this.#underway.delete(sending);
        });
      this.#underway.add(sending);
    } catch (thrown) {
      throw brokenOff(this.#context, this.#failure ??= thrown);
    }
  }

  #again<T>(call: () => Promise<T>): Promise<T> {
    return tryAgain(call, this.#context.signal, this.#options.tries);
  }

  #forget(): void {
    this.#part = undefined;
    this.#filled = 0;
    this.#sending = 0;
    this.#spare.length = 0;
  }
}
