/**
 * The requests of one object that goes to S3 in parts (AWS: "Uploading and copying objects using multipart upload").
 * A part has at least 5 MiB, but for the last; R2 wants all but the last of one size; at most 10,000.
 */
import { SedimentError } from "../errors.ts";
import { failed, type RequestContext, sliceOf } from "./http_call.ts";
import { encodeObjectKey } from "./object_key.ts";
import type { StoredRange } from "./object_store.ts";
import type { S3Client } from "./s3_client.ts";
import { elementText, escapeXml } from "./s3_xml.ts";

/** What S3 gave for one part. */
export interface UploadedPart {
  number: number;
  /** With its quotes, as it came. */
  etag: string;
}

/** The object that is made. */
export interface MultipartTarget {
  contentType: string;
  /** Whether an object that is there may be replaced. */
  upsert: boolean;
}

/** Metadata by which an object is known again whose writer did not hear that it was done. */
const markHeader = "x-amz-meta-sediment-upload";

/** Milliseconds for an abort: it is made when all else has ended, and also when the signal has fired. */
const abortMs = 10_000;

/** See the module's head. None of its requests is tried again here. */
export class S3Multipart {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #context: RequestContext;
  readonly #target: MultipartTarget;
  readonly #mark: string = crypto.randomUUID();

  constructor(client: S3Client, bucket: string, context: RequestContext, target: MultipartTarget) {
    this.#client = client;
    this.#bucket = bucket;
    this.#context = context;
    this.#target = target;
  }

  /** Begins an upload and gives its id. An upload whose answer gets lost is swept as one of a dead writer is. */
  async create(): Promise<string> {
    const created = await this.#client.sendForXml(this.#context, "POST", this.#context.key, {
      query: { uploads: "" },
      headers: { "content-type": this.#target.contentType, [markHeader]: this.#mark },
    });
    const uploadId = elementText(created, "UploadId");
    if (uploadId) return uploadId;
    throw failed(this.#context, "no UploadId came for a multipart upload");
  }

  /** Sends a part; sent again it replaces itself. */
  async send(uploadId: string, number: number, body: Uint8Array<ArrayBuffer>): Promise<string> {
    const answer = await this.#client.send(this.#context, "PUT", this.#context.key, {
      query: { partNumber: String(number), uploadId },
      body,
    });
    await answer.body?.cancel();
    return this.#etagOf(number, answer.headers.get("etag"));
  }

  /** Has a part copied out of another object, if that has its ETag still. */
  async copy(uploadId: string, number: number, range: StoredRange): Promise<string> {
    const { key, etag, start, length } = range;
    const xml = await this.#ofUnchanged(
      range,
      () =>
        this.#client.sendForXml(this.#context, "PUT", this.#context.key, {
          query: { partNumber: String(number), uploadId },
          headers: {
            "x-amz-copy-source": `/${encodeURIComponent(this.#bucket)}/${encodeObjectKey(key)}`,
            "x-amz-copy-source-if-match": `"${etag}"`,
            "x-amz-copy-source-range": `bytes=${start}-${start + length - 1}`,
          },
        }),
    );
    return this.#etagOf(number, elementText(xml, "ETag"));
  }

  /** Reads what can't be copied, if the object has its ETag still. */
  async read(range: StoredRange): Promise<Uint8Array> {
    const { key, etag, start, length } = range;
    const context = { ...this.#context, action: "read a range of", key };
    const answer = await this.#ofUnchanged(range, () =>
      this.#client.send(context, "GET", key, {
        headers: { range: `bytes=${start}-${start + length - 1}`, "if-match": `"${etag}"` },
      }));
    const bytes = await sliceOf(context, answer, start, length);
    if (bytes.byteLength === length) return bytes;
    throw failed(context, `${bytes.byteLength} bytes came of ${length} at ${start}`);
  }

  /** Makes the object of its parts. */
  async complete(uploadId: string, parts: readonly UploadedPart[]): Promise<string> {
    const rows = parts.map(({ number, etag }) =>
      `<Part><PartNumber>${number}</PartNumber><ETag>${escapeXml(etag)}</ETag></Part>`
    );
    const completed = await this.#client.sendForXml(this.#context, "POST", this.#context.key, {
      query: { uploadId },
      headers: { "content-type": "application/xml", ...this.#ifAbsent() },
      body: `<CompleteMultipartUpload>${rows.join("")}</CompleteMultipartUpload>`,
    });
    return unquoted(elementText(completed, "ETag"));
  }

  /** Makes the object at once, of what would not have filled a part. */
  async putWhole(body: Uint8Array<ArrayBuffer>): Promise<string> {
    const answer = await this.#client.send(this.#context, "PUT", this.#context.key, {
      headers: {
        "content-type": this.#target.contentType,
        [markHeader]: this.#mark,
        ...this.#ifAbsent(),
      },
      body,
    });
    await answer.body?.cancel();
    return etagIn(answer.headers);
  }

  /** What is under the key, and whether it is this upload's; null when nothing is. */
  async look(): Promise<{ etag: string; ours: boolean } | null> {
    const headers = await this.#head(this.#context.key);
    return headers && { etag: etagIn(headers), ours: headers.get(markHeader) === this.#mark };
  }

  /** Whether another object has its ETag still. */
  async isUnchanged({ key, etag }: StoredRange): Promise<boolean> {
    const headers = await this.#head(key);
    return headers !== null && etagIn(headers) === etag;
  }

  async #head(key: string): Promise<Headers | null> {
    try {
      const context = { ...this.#context, action: "look up", key };
      return (await this.#client.send(context, "HEAD", key)).headers;
    } catch (thrown) {
      if (thrown instanceof SedimentError && thrown.code === "object_missing") return null;
      throw thrown;
    }
  }

  /** Gives an upload up, so that its parts aren't kept and paid for. Never throws; what it misses is swept. */
  async abort(uploadId: string): Promise<void> {
    const signal = AbortSignal.timeout(abortMs);
    const context = { ...this.#context, action: "abort the upload of", signal };
    try {
      const answer = await this.#client.send(context, "DELETE", context.key, {
        query: { uploadId },
      });
      await answer.body?.cancel();
    } catch {
      // whoever gives up has a better reason to tell
    }
  }

  #ifAbsent(): Record<string, string> {
    return this.#target.upsert ? {} : { "if-none-match": "*" };
  }

  #etagOf(number: number, etag: string | null | undefined): string {
    if (etag) return etag;
    throw failed(this.#context, `part ${number} came back without an ETag`);
  }

  /** A 404 or 412 is about the source here: it went or changed since the caller looked, who should look again. */
  async #ofUnchanged<T>({ key, etag }: StoredRange, request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (thrown) {
      const code = thrown instanceof SedimentError ? thrown.code : undefined;
      if (code !== "already_stored" && code !== "object_missing") throw thrown;
      throw failed(
        this.#context,
        `${key} is not the object with the ETag ${etag} any more`,
        thrown,
      );
    }
  }
}

function etagIn(headers: Headers): string {
  return unquoted(headers.get("etag"));
}

/** An ETag without its quotes. */
export function unquoted(etag: string | null | undefined): string {
  return (etag ?? "").replace(/^(W\/)?"(.*)"$/, "$2");
}
