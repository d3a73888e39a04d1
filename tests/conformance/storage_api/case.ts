/** What the checks of the Storage API share: a client and a bucket, bodies to send, and assertions. */
import { strict as assert } from "node:assert";

import { createClient } from "@supabase/supabase-js";

/** A Storage API under test. */
export interface OpenedStorageApi {
  /** The project's URL, without `/storage/v1`. */
  url: string;
  secretKey: string;
  /** Without it, what strangers get isn't tried. */
  publishableKey?: string;
  close(): Promise<void>;
}

/** How a test's bucket is made. */
type BucketOptions = Parameters<ReturnType<typeof clientOf>["storage"]["createBucket"]>[1];

/** Bytes of every value, over the sizes of buffers and of a multipart boundary's look-ahead. */
export const content = Uint8Array.from({ length: 200_003 }, (_, i) => (i * 7919) >>> (i % 13));

/** The bodies that supabase-js sends in different ways. */
export const bodies: Record<
  string,
  () => Uint8Array | Blob | FormData | ReadableStream<Uint8Array>
> = {
  "byte array": () => content,
  "Blob": () => new Blob([content], { type: "application/vnd.apache.parquet" }),
  "form": () => {
    const form = new FormData();
    form.append("file", new Blob([content], { type: "application/vnd.apache.parquet" }), "a.bin");
    return form;
  },
  "stream": () => new Blob([content]).stream(),
};

/** supabase-js with a key. */
export function clientOf(url: string, key: string) {
  return createClient(url, key, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
  });
}

/** One test's client and bucket. */
export class Case {
  readonly bucket = `conformance-${crypto.randomUUID()}`;
  readonly storage;
  readonly files;
  readonly send: (method: string, path: string, init?: RequestInit) => Promise<Response>;

  constructor(readonly api: OpenedStorageApi) {
    this.storage = clientOf(api.url, api.secretKey).storage;
    this.files = this.storage.from(this.bucket);
    this.send = (method, path, init = {}) =>
      fetch(`${api.url}/storage/v1/${path}`, {
        ...init,
        method,
        headers: { apikey: api.secretKey, ...init.headers },
      });
  }

  async cleanUp(): Promise<void> {
    await this.storage.emptyBucket(this.bucket);
    await this.storage.deleteBucket(this.bucket);
  }
}

/** Registers a test by a sentence that can be false; it has a bucket of its own, private unless said. */
export type Check = (
  sentence: string,
  run: (c: Case) => Promise<void>,
  bucket?: BucketOptions,
) => void;

/** Checks of a Storage API, each with a bucket that is deleted behind it. */
export function checksOf(
  name: string,
  open: () => Promise<OpenedStorageApi>,
  test: (name: string, run: () => Promise<void>) => void,
): Check {
  return (sentence, run, bucket = { public: false }) =>
    test(`${name}: ${sentence}`, async () => {
      const api = await open();
      const c = new Case(api);
      try {
        done(await c.storage.createBucket(c.bucket, bucket));
        await run(c);
      } finally {
        await c.cleanUp();
        await api.close();
      }
    });
}

/** The data of an answer that must be a success. */
export function done<T>(answer: { data: T | null; error: unknown }): T {
  assert.equal(answer.error, null, `${answer.error}`);
  assert.ok(answer.data !== null);
  return answer.data;
}

/** Asserts a refusal: the status stands in the body; that of HTTP is 400 or the same. */
export function refused(
  answer: { error: unknown },
  statusCode: number,
  message: RegExp = /./,
): void {
  const error = answer.error as { status?: number; statusCode?: string; message?: string } | null;
  assert.ok(error, `should be refused with ${statusCode}`);
  assert.equal(error.statusCode, String(statusCode), error.message);
  assert.ok(error.status === 400 || error.status === statusCode, `HTTP ${error.status}`);
  assert.match(error.message ?? "", message);
}

export async function bytesOf(blob: Blob): Promise<Uint8Array> {
  return new Uint8Array(await blob.arrayBuffer());
}

export async function textOf(blob: Blob): Promise<string> {
  return await blob.text();
}
