/** The parts of an upload on their way: a few at once, each tried again by itself. */
import { brokenOff, type RequestContext } from "./http_call.ts";
import type { UploadedPart } from "./s3_multipart.ts";

/** Makes a call until it succeeds or has failed often enough. */
export type Again = <T>(call: () => Promise<T>) => Promise<T>;

/** Sends a part, or has it copied; gives its ETag. */
export type SendPart = (uploadId: string, number: number) => Promise<string>;

/** See the module's head. The upload itself is created with its first part. */
export class S3Parts {
  readonly #create: () => Promise<string>;
  readonly #context: RequestContext;
  readonly #concurrency: number;
  readonly #again: Again;
  readonly #underway = new Set<Promise<void>>();
  /** In order; all have their ETags once they are settled. */
  readonly parts: UploadedPart[] = [];
  uploadId: string | undefined;
  /** What went wrong first; nothing goes on after it. */
  failure: unknown;
  /** Bytes of memory that are being sent. */
  bytes = 0;

  constructor(
    create: () => Promise<string>,
    context: RequestContext,
    concurrency: number,
    again: Again,
  ) {
    this.#create = create;
    this.#context = context;
    this.#concurrency = concurrency;
    this.#again = again;
  }

  /** Begins to send the next part, once less than `concurrency` others are on their way. */
  async begin(send: SendPart, bytes = 0): Promise<void> {
    this.bytes += bytes;
    try {
      const uploadId = this.uploadId ??= await this.#again(this.#create);
      while (this.#underway.size >= this.#concurrency) await Promise.race(this.#underway);
      if (this.failure !== undefined) throw this.failure;
      const part = { number: this.parts.length + 1, etag: "" };
      this.parts.push(part);
      const sending = this.#again(() => send(uploadId, part.number))
        .then((etag) => void (part.etag = etag), (thrown) => void (this.failure ??= thrown))
        .finally(() => {
          this.bytes -= bytes;
          this.#underway.delete(sending);
        });
      this.#underway.add(sending);
    } catch (thrown) {
      this.bytes -= bytes;
      throw brokenOff(this.#context, this.failure ??= thrown);
    }
  }

  /** Resolves when none is on its way. */
  async settled(): Promise<void> {
    await Promise.all(this.#underway);
  }
}
