/** Objects that go to S3 piece by piece: what is held, what is sent again, and what a lost answer comes to. */
import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";

import { SedimentError } from "../../shared/errors.ts";
import type { ObjectUpload } from "../../shared/storage/object_store.ts";
import { createS3Store, type S3StoreOptions } from "../../shared/storage/s3_store.ts";
import { createS3Double, type S3Double, s3Error, type SeenRequest } from "./s3_double.ts";

const MiB = 1024 * 1024;
const partBytes = 5 * MiB;

function storeOn(double: S3Double, options: Partial<S3StoreOptions> = {}) {
  return createS3Store({
    endpoint: "https://s3.test",
    bucket: "b",
    accessKeyId: "id",
    secretAccessKey: "secret",
    fetch: double.fetch,
    partTries: { waitMs: 1 },
    ...options,
  });
}

const begin = (double: S3Double, options: Partial<S3StoreOptions> = {}) =>
  storeOn(double, options).startUpload!("k");

/** Writes bytes that tell where they belong, and gives them. */
async function write(upload: ObjectUpload, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  new Uint32Array(bytes.buffer, 0, size >> 2).forEach((_, i, words) => words[i] = i * 2654435761);
  for (let at = 0; at < size; at += 300_000) await upload.write(bytes.subarray(at, at + 300_000));
  return bytes;
}

/** By node:buffer: Deno 2.1's deepEqual takes no arrays of megabytes. */
function assertStored(double: S3Double, expected: Uint8Array, length?: number): void {
  const { bytes } = double.objects.get("k")!;
  assert.ok(Buffer.from(bytes.subarray(0, length)).equals(expected), "other bytes were stored");
}

const isPart = ({ query }: SeenRequest) => query.has("partNumber");
const isComplete = ({ method, query }: SeenRequest) => method === "POST" && query.has("uploadId");
const lost = () => {
  throw new TypeError("connection reset");
};

/** Answers as S3 does, and then loses the answer of the first request that matches. */
function loseAnswer(double: S3Double, match: (request: SeenRequest) => boolean): void {
  let done = false;
  double.intercept = (request) => {
    if (done || !match(request)) return undefined;
    done = true;
    double.respond(request);
    return lost();
  };
}

Deno.test("memory holds the part that is filled and those on their way, however large the object", async () => {
  const double = createS3Double();
  const buffers = new Set<ArrayBufferLike>();
  let onTheirWay = 0, most = 0, mostHeld = 0;
  double.intercept = async ({ query }) => {
    if (!query.has("partNumber")) return undefined;
    most = Math.max(most, ++onTheirWay);
    for (let i = 0; i < 20; i++) await Promise.resolve();
    onTheirWay--;
  };
  const upload = await begin({
    ...double,
    fetch: (input, init) => {
      if (init?.body instanceof Uint8Array) buffers.add(init.body.buffer);
      return double.fetch(input, init);
    },
  }, { partConcurrency: 2 });
  for (let i = 0; i < 40; i++) {
    await upload.write(new Uint8Array(MiB).fill(i));
    mostHeld = Math.max(mostHeld, upload.heldBytes);
  }
  assert.equal((await upload.finish()).size, 40 * MiB);
  assert.ok(most <= 2, `${most} parts were on their way`);
  assert.ok(mostHeld <= 3 * partBytes, `${mostHeld} bytes were held`);
  assert.ok(buffers.size <= 3, `${buffers.size} parts had memory of their own`);
  assert.equal(upload.heldBytes, 0);
});

Deno.test("a writer that is faster than the store waits", async () => {
  const double = createS3Double();
  let letGo = () => {};
  const gate = new Promise<void>((resolve) => letGo = resolve);
  double.intercept = async (request) => {
    if (isPart(request)) await gate;
    return undefined;
  };
  const upload = await begin(double, { partConcurrency: 1 });
  let written = 0;
  const writing = (async () => {
    for (let i = 0; i < 20; i++) {
      await upload.write(new Uint8Array(MiB));
      written++;
    }
  })();
  while (double.requests.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setTimeout(resolve));
  assert.ok(written < 10, `${written} MiB were taken while not one was`);
  letGo();
  await writing;
  assert.equal((await upload.finish()).size, 20 * MiB);
});

Deno.test("a part that failed is sent again, and the others are not", async () => {
  for (
    const failure of [
      () => s3Error(503, "SlowDown"),
      () => new Response("<Error><Code>InternalError</Code></Error>", { status: 500 }),
      lost,
    ]
  ) {
    const double = createS3Double();
    const failed = new Set<string>();
    double.intercept = (request) => {
      const number = request.query.get("partNumber");
      if (number === null || failed.size > 1 || failed.has(number)) return undefined;
      failed.add(number);
      return failure();
    };
    const upload = await begin(double);
    const bytes = await write(upload, 17 * MiB);
    await upload.finish();
    assertStored(double, bytes);
    assert.equal(double.requests.filter(isPart).length, 4 + 2);
  }
});

Deno.test("an object whose last answer was lost was made once, and is known again", async () => {
  for (const [size, match] of [[17 * MiB, isComplete], [1000, isWhole]] as const) {
    const double = createS3Double();
    loseAnswer(double, match);
    const upload = await begin(double);
    const bytes = await write(upload, size);
    const info = await upload.finish();
    assert.equal(double.requests.filter(isComplete).length, size > partBytes ? 1 : 0);
    assertStored(double, bytes);
    assert.equal(info.etag, double.objects.get("k")!.etag);
  }
  function isWhole({ method, query }: SeenRequest) {
    return method === "PUT" && !query.has("partNumber");
  }
});

Deno.test("a completion that answers 200 with an error, or fails, is made again", async () => {
  for (const answer of [() => new Response("<Error><Code>InternalError</Code></Error>"), lost]) {
    const double = createS3Double();
    let failures = 2;
    double.intercept = (request) => isComplete(request) && failures-- > 0 ? answer() : undefined;
    const upload = await begin(double);
    const bytes = await write(upload, 6 * MiB);
    await upload.finish();
    assertStored(double, bytes);
    assert.equal(double.uploads.size, 0);
  }
});

Deno.test("finishing that failed can be called again, and sends no part again", async () => {
  const double = createS3Double();
  let failures = 3;
  double.intercept = (request) => isComplete(request) && failures-- > 0 ? lost() : undefined;
  const upload = await begin(double);
  const bytes = await write(upload, 6 * MiB);
  await assert.rejects(upload.finish(), { code: "store_failed" });
  assert.equal((await upload.finish()).size, 6 * MiB);
  assertStored(double, bytes);
  assert.equal(double.requests.filter(isPart).length, 2);
});

Deno.test("an object that another wrote meanwhile is not taken for this one, though it is as large", async () => {
  const double = createS3Double();
  const other = { bytes: new Uint8Array(6 * MiB), etag: "e", type: "t", at: new Date() };
  let done = false;
  double.intercept = (request) => {
    if (!isComplete(request) || done) return undefined;
    done = true;
    double.objects.set("k", other);
    return lost();
  };
  const upload = await begin(double);
  await write(upload, 6 * MiB);
  await assert.rejects(upload.finish(), { code: "already_stored" });
  await upload.abort();
  assert.equal(double.objects.get("k"), other);
  assert.equal(double.uploads.size, 0);
});

Deno.test("an upload that was given up makes no object, however late its completion arrives", async () => {
  const double = createS3Double();
  let completion: SeenRequest | undefined;
  double.intercept = (request) => {
    if (!isComplete(request)) return undefined;
    completion = request;
    return lost();
  };
  const upload = await begin(double);
  await write(upload, 6 * MiB);
  await assert.rejects(upload.finish());
  await upload.abort();
  double.respond(completion!);
  assert.equal(double.objects.size, 0);
});

Deno.test("what S3 refuses for good is not tried again, and is told at the next write", async () => {
  const double = createS3Double();
  double.intercept = (request) => isPart(request) ? s3Error(403, "AccessDenied") : undefined;
  const upload = await begin(double);
  await assert.rejects(write(upload, 40 * MiB), { code: "misconfigured" });
  await assert.rejects(upload.finish(), { code: "misconfigured" });
  await upload.abort();
  assert.ok(double.requests.filter(isPart).length < 6);
  assert.equal(double.uploads.size, 0);
});

for (const equalParts of [false, true]) {
  const rule = equalParts ? "of one size" : "of any size";
  Deno.test(`where parts are ${rule} a copied range passes by the isolate but for its borders`, async () => {
    const double = createS3Double({ equalParts });
    const store = storeOn(double, { equalParts });
    const source = new Uint8Array(32 * MiB).map((_, i) => i * 31 >> 8);
    double.objects.set("s", { bytes: source, etag: "tag-4", type: "t", at: new Date() });
    const upload = await store.startUpload!("k");
    await upload.write(source.subarray(0, 4));
    for (let at = 4; at < source.length;) {
      const length = Math.min(8 * MiB, source.length - at); // four row groups that lie together
      const range = { key: "s", etag: "tag-4", start: at, length };
      if (!await upload.copyFrom(range)) await upload.write(source.subarray(at, at + length));
      at += length;
    }
    await upload.write(new Uint8Array(100));
    await upload.finish();
    const copied = double.requests.filter(({ headers }) => headers.has("x-amz-copy-source"));
    assert.equal(copied.length, equalParts ? 5 : 1);
    for (const { headers } of copied) {
      assert.equal(headers.get("x-amz-copy-source"), "/b/s");
      assert.equal(headers.get("x-amz-copy-source-if-match"), '"tag-4"');
    }
    const sent = double.requests.reduce((sum, { body }) => sum + body.length, 0);
    assert.ok(sent < (equalParts ? 8 : 5.1) * MiB, `${sent} bytes of ${source.length} were sent`);
    assertStored(double, source, source.length);
  });
}

Deno.test("R2 is known by its host, and gets parts of one size", async () => {
  for (
    const [endpoint, equal] of [
      ["https://account.eu.r2.cloudflarestorage.com", true],
      ["https://s3.eu-central-1.amazonaws.com", false],
    ] as const
  ) {
    const double = createS3Double({ equalParts: equal });
    const store = storeOn(double, { endpoint });
    const { etag } = await store.put("s", new Uint8Array(17 * MiB));
    const upload = await store.startUpload!("k");
    await upload.copyFrom({ key: "s", etag, start: 0, length: 17 * MiB });
    await upload.write(new Uint8Array(4 * MiB));
    assert.equal((await upload.finish()).size, 21 * MiB);
    assert.equal(double.requests.filter(isPart).length, equal ? 5 : 2);
  }
});

Deno.test("a store that copies no parts is asked for none", async () => {
  const double = createS3Double();
  const { etag } = await storeOn(double).put("s", new Uint8Array(6 * MiB));
  const upload = await begin(double, { copiesParts: false });
  assert.equal(await upload.copyFrom({ key: "s", etag, start: 0, length: 6 * MiB }), false);
  assert.equal(double.requests.length, 1);
});

for (const what of ["changes", "goes"]) {
  Deno.test(`a source that ${what} while it is copied ends the upload, for another try`, async () => {
    const double = createS3Double();
    const store = storeOn(double);
    const source = { bytes: new Uint8Array(20 * MiB), etag: "old", type: "t", at: new Date() };
    double.objects.set("s", source);
    double.intercept = (request) => {
      if (!isPart(request)) return undefined;
      if (what === "changes") source.etag = "new";
      else double.objects.delete("s");
      return undefined;
    };
    const upload = await store.startUpload!("k");
    await assert.rejects(async () => {
      await upload.copyFrom({ key: "s", etag: "old", start: 0, length: 20 * MiB });
      await upload.finish();
    }, (thrown) => thrown instanceof SedimentError && thrown.retryable);
    await upload.abort();
    assert.ok(!double.objects.has("k"));
  });
}
