/** What Supabase's resumable uploads do (TUS 1.0.0), by tus-js-client and by plain HTTP. */
import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";

import { createClient } from "@supabase/supabase-js";
import { Upload } from "tus-js-client";

import type { OpenedStorageApi } from "./storage_api/case.ts";

/** Supabase wants chunks of exactly this size, but for the last. */
const chunkBytes = 6 * 1024 * 1024;
const content = Uint8Array.from({ length: chunkBytes + 1_000_003 }, (_, i) => (i * 31) >>> (i % 7));

/**
 * Registers the suite; each test makes a bucket of its own and deletes it.
 * @param test where the tests go
 */
export function resumableConformance(
  name: string,
  open: () => Promise<OpenedStorageApi>,
  test: (name: string, run: () => Promise<void>) => void = Deno.test,
): void {
  const check = (sentence: string, run: (c: Case) => Promise<void>) =>
    test(`${name}: ${sentence}`, async () => {
      const api = await open();
      const c = new Case(api);
      try {
        const { error } = await c.storage.createBucket(c.bucket, {
          public: false,
          fileSizeLimit: 10_000_000,
        });
        assert.equal(error, null);
        await run(c);
      } finally {
        await c.storage.emptyBucket(c.bucket);
        await c.storage.deleteBucket(c.bucket);
        await api.close();
      }
    });

  check("tus-js-client uploads in chunks", async (c) => {
    const progress = await c.upload("in/chunks.parquet", content);
    assert.ok(progress.includes(chunkBytes), `accepted at ${progress}`);
    assert.deepEqual(await c.download("in/chunks.parquet"), content);
    const { data } = await c.storage.from(c.bucket).info("in/chunks.parquet");
    assert.equal(data?.contentType, "application/vnd.apache.parquet");
    assert.equal(data?.cacheControl, "max-age=60");
    assert.deepEqual(data?.metadata, { from: "conformance" });
  });

  check("an upload goes on where it was left, and is no object before its end", async (c) => {
    const url = await c.create("resumed", content.byteLength);
    assert.equal((await c.patch(url, 0, content.subarray(0, chunkBytes))).status, 204);
    const head = await c.send("HEAD", url);
    assert.equal(head.status, 200);
    assert.equal(head.headers.get("upload-offset"), String(chunkBytes));
    assert.equal(head.headers.get("upload-length"), String(content.byteLength));
    assert.equal((await c.storage.from(c.bucket).exists("resumed")).data, false);

    const again = await c.patch(url, 0, content.subarray(0, 10));
    assert.equal(again.status, 409, "an offset that isn't the next is a conflict");
    const last = await c.patch(url, chunkBytes, content.subarray(chunkBytes));
    assert.equal(last.status, 204);
    assert.equal(last.headers.get("upload-offset"), String(content.byteLength));
    assert.deepEqual(await c.download("resumed"), content);
  });

  check("a signed token stands for the caller, for its key only", async (c) => {
    const files = c.storage.from(c.bucket);
    const { data } = await files.createSignedUploadUrl("signed");
    assert.ok(data);
    const headers = { "x-signature": data.token, apikey: c.api.publishableKey ?? c.api.secretKey };
    const refused = await c.send("POST", c.endpoint + "/sign", {
      ...headers,
      ...c.creation("other", 10),
    });
    assert.equal(refused.status, 400);
    await c.upload("signed", content, c.endpoint + "/sign", headers);
    assert.deepEqual(await c.download("signed"), content);
  });

  check("a key that is taken is refused without upsert, and replaced with it", async (c) => {
    const files = c.storage.from(c.bucket);
    assert.equal((await files.upload("taken", "first")).error, null);
    const refused = await c.send("POST", c.endpoint, c.creation("taken", 10));
    assert.equal(refused.status, 409);
    await c.upload("taken", content, c.endpoint, { ...c.auth, "x-upsert": "true" });
    assert.deepEqual(await c.download("taken"), content);
  });

  check("a bucket's size limit holds before anything is sent", async (c) => {
    const answer = await c.send("POST", c.endpoint, c.creation("large", 10_000_001));
    assert.equal(answer.status, 413);
  });

  check("an upload that was given up is gone", async (c) => {
    const url = await c.create("given-up", content.byteLength);
    assert.equal((await c.patch(url, 0, content.subarray(0, chunkBytes))).status, 204);
    assert.equal((await c.send("DELETE", url, tus)).status, 204);
    assert.ok([404, 410].includes((await c.send("HEAD", url)).status));
    assert.equal((await c.storage.from(c.bucket).exists("given-up")).data, false);
  });

  check("a stranger can't begin an upload", async (c) => {
    if (!c.api.publishableKey) return;
    const stranger = {
      ...c.creation("strange", 10),
      apikey: c.api.publishableKey,
    };
    const answer = await c.send("POST", c.endpoint, stranger);
    assert.equal(answer.status, 403);
  });
}

const tus = { "tus-resumable": "1.0.0" };

/** One test's bucket and requests. */
class Case {
  readonly bucket = `conformance-${crypto.randomUUID()}`;
  readonly storage;
  readonly endpoint;
  readonly auth;

  constructor(readonly api: OpenedStorageApi) {
    this.storage = createClient(api.url, api.secretKey, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    }).storage;
    this.endpoint = `${api.url}/storage/v1/upload/resumable`;
    this.auth = { apikey: api.secretKey };
  }

  /** Uploads with tus-js-client; resolves with the offsets that the server accepted. */
  upload(
    key: string,
    bytes: Uint8Array,
    endpoint: string = this.endpoint,
    headers: Record<string, string> = this.auth,
  ): Promise<number[]> {
    const accepted: number[] = [];
    return new Promise((resolve, reject) =>
      new Upload(Buffer.from(bytes), {
        endpoint,
        headers,
        chunkSize: chunkBytes,
        retryDelays: null,
        metadata: {
          bucketName: this.bucket,
          objectName: key,
          contentType: "application/vnd.apache.parquet",
          cacheControl: "60",
          metadata: JSON.stringify({ from: "conformance" }),
        },
        onChunkComplete: (_size, offset) => accepted.push(offset),
        onError: reject,
        onSuccess: () => resolve(accepted),
      }).start()
    );
  }

  /** The headers that create an upload. */
  creation(key: string, length: number): Record<string, string> {
    const encode = (text: string) => Buffer.from(text).toString("base64");
    return {
      ...tus,
      "upload-length": String(length),
      "upload-metadata": `bucketName ${encode(this.bucket)},objectName ${encode(key)}`,
    };
  }

  /** Creates an upload and gives its URL. */
  async create(key: string, length: number): Promise<string> {
    const answer = await this.send("POST", this.endpoint, this.creation(key, length));
    assert.equal(answer.status, 201);
    return answer.headers.get("location")!;
  }

  patch(url: string, offset: number, body: Uint8Array<ArrayBuffer>): Promise<Response> {
    const headers = {
      ...tus,
      "upload-offset": String(offset),
      "content-type": "application/offset+octet-stream",
    };
    return this.send("PATCH", url, headers, body);
  }

  /** Sends a request and drops the answer's body. */
  async send(
    method: string,
    url: string,
    headers: Record<string, string> = tus,
    body?: Uint8Array<ArrayBuffer>,
  ): Promise<Response> {
    const answer = await fetch(url, { method, headers: { ...this.auth, ...headers }, body });
    await answer.body?.cancel();
    return answer;
  }

  async download(key: string): Promise<Uint8Array> {
    const { data, error } = await this.storage.from(this.bucket).download(key);
    assert.equal(error, null);
    return new Uint8Array(await data!.arrayBuffer());
  }
}
