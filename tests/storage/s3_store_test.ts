/** What the S3 store asks of S3, and what it makes of its failures. */
import { strict as assert } from "node:assert";

import { type ErrorCode, SedimentError } from "../../shared/errors.ts";
import { createS3Store, type S3StoreOptions } from "../../shared/storage/s3_store.ts";
import { createS3Double, type S3Double, s3Error } from "./s3_double.ts";

const partBytes = 5 * 1024 * 1024;

function storeOn(double: S3Double, options: Partial<S3StoreOptions> = {}) {
  return createS3Store({
    endpoint: "https://s3.test",
    region: "eu-central-1",
    bucket: "b",
    accessKeyId: "id",
    secretAccessKey: "secret",
    fetch: double.fetch,
    partBytes,
    partTries: { waitMs: 1 },
    ...options,
  });
}

function streamOf(size: number, failure?: Error): ReadableStream<Uint8Array> {
  let left = size;
  return new ReadableStream({
    pull(controller) {
      if (left === 0) return failure ? controller.error(failure) : controller.close();
      const chunk = new Uint8Array(Math.min(left, 300_000)).fill(left & 255);
      left -= chunk.length;
      controller.enqueue(chunk);
    },
  });
}

async function throwsCode(code: ErrorCode, call: Promise<unknown>): Promise<SedimentError> {
  let caught: unknown;
  await assert.rejects(call, (thrown) => (caught = thrown, true));
  assert.ok(caught instanceof SedimentError, String(caught));
  assert.equal(caught.code, code, caught.message);
  return caught;
}

const shape = (double: S3Double) =>
  double.requests.map(({ method, query }) =>
    [
      method,
      query.get("partNumber") && "part",
      query.has("uploads") && "create",
      query.has("uploadId") && !query.has("partNumber") && "upload",
    ].filter(Boolean).join(" ")
  );

Deno.test("a stream that fits into a part is one PUT", async () => {
  const double = createS3Double();
  await storeOn(double).putStream("k", streamOf(partBytes - 1));
  assert.deepEqual(shape(double), ["PUT"]);
  assert.equal(double.objects.get("k")?.bytes.length, partBytes - 1);
});

Deno.test("a longer stream is parts of one size, and no more of them at once than told", async () => {
  const double = createS3Double();
  let underway = 0;
  let most = 0;
  const two = Promise.withResolvers<void>();
  double.intercept = async ({ query }) => {
    if (!query.has("partNumber")) return undefined;
    most = Math.max(most, ++underway);
    if (underway === 2) two.resolve();
    // long enough on any machine, should the second never come
    const never = setTimeout(two.resolve, 30_000);
    await two.promise;
    clearTimeout(never);
    await new Promise((resolve) => setTimeout(resolve, 5));
    underway--;
    return undefined;
  };
  const info = await storeOn(double, { partConcurrency: 2 }).putStream(
    "k",
    streamOf(partBytes * 4 + 7),
  );
  assert.equal(info.size, partBytes * 4 + 7);
  assert.match(info.etag, /^[0-9a-f]{32}-5$/);
  assert.equal(most, 2);
  assert.equal(double.uploads.size, 0);
  const parts = double.requests.filter(({ query }) => query.has("partNumber"));
  assert.deepEqual(
    parts.map(({ query, body }) => [query.get("partNumber"), body.length]).sort(),
    [["1", partBytes], ["2", partBytes], ["3", partBytes], ["4", partBytes], ["5", 7]],
  );
});

Deno.test("an upload that fails is aborted, whatever failed, and its first error told", async () => {
  const failures: [string, ErrorCode, (double: S3Double) => ReadableStream<Uint8Array>][] = [
    ["a part", "store_failed", (double) => {
      double.intercept = ({ query }) =>
        query.get("partNumber") === "2" ? s3Error(500, "InternalError") : undefined;
      return streamOf(partBytes * 3);
    }],
    ["the connection", "store_failed", (double) => {
      double.intercept = ({ query }) => {
        if (query.get("partNumber") === "2") throw new TypeError("connection reset");
        return undefined;
      };
      return streamOf(partBytes * 3);
    }],
    [
      "the source",
      "hash_mismatch",
      () => streamOf(partBytes * 2, new SedimentError("hash_mismatch", "at its end")),
    ],
    // S3 may answer 200 to Complete and put the error into the body.
    ["the completion", "store_failed", (double) => {
      double.intercept = ({ method, query }) =>
        method === "POST" && query.has("uploadId")
          ? new Response("<?xml version='1.0'?><Error><Code>InternalError</Code></Error>")
          : undefined;
      return streamOf(partBytes * 2);
    }],
  ];
  for (const [what, code, prepare] of failures) {
    const double = createS3Double();
    const stream = prepare(double);
    await throwsCode(code, storeOn(double).putStream("k", stream));
    assert.equal(double.uploads.size, 0, `${what} failed and the upload was left`);
    assert.equal(double.objects.size, 0, what);
  }
});

Deno.test("an upload is aborted also when its signal stopped it", async () => {
  const double = createS3Double();
  const stop = new AbortController();
  double.intercept = ({ query }) => {
    if (query.get("partNumber") === "2") stop.abort();
    return undefined;
  };
  const put = storeOn(double).putStream("k", streamOf(partBytes * 9), { signal: stop.signal });
  await throwsCode("aborted", put);
  assert.equal(double.uploads.size, 0);
  assert.ok(double.requests.length < 8, "the rest of the stream was sent all the same");
});

Deno.test("a racer that finished first wins over a multipart upload", async () => {
  const double = createS3Double();
  double.intercept = ({ method, query, key }) => {
    if (method === "POST" && query.has("uploadId")) {
      double.objects.set(key, { bytes: new Uint8Array(1), etag: "e", type: "t", at: new Date() });
    }
    return undefined;
  };
  await throwsCode("already_stored", storeOn(double).putStream("k", streamOf(partBytes * 2)));
  assert.equal(double.objects.get("k")?.bytes.length, 1);
  assert.equal(double.uploads.size, 0);
});

Deno.test("nothing is tried twice, and a failure says whether trying again makes sense", async () => {
  const refusals: [Response, ErrorCode, boolean][] = [
    [s3Error(503, "SlowDown", { "retry-after": "7" }), "store_failed", true],
    [s3Error(500, "InternalError"), "store_failed", true],
    [s3Error(400, "RequestTimeout"), "store_failed", true],
    [new Response("<html>Bad Gateway</html>", { status: 502 }), "store_failed", true],
    [s3Error(404, "NoSuchKey"), "object_missing", false],
    [s3Error(404, "NoSuchBucket"), "misconfigured", false],
    [s3Error(403, "SignatureDoesNotMatch"), "misconfigured", false],
    [s3Error(403, "AccessDenied"), "misconfigured", false],
    [s3Error(416, "InvalidRange"), "range_not_satisfiable", false],
    [s3Error(409, "ConditionalRequestConflict"), "store_failed", true],
  ];
  for (const [answer, code, retryable] of refusals) {
    const double = createS3Double();
    double.intercept = () => answer;
    const error = await throwsCode(code, storeOn(double).get("k"));
    assert.equal(error.retryable, retryable, error.message);
    assert.equal(double.requests.length, 1, "a retry that nobody asked for");
    if (answer.headers.has("retry-after")) assert.equal(error.retryAfterSeconds, 7);
  }
});

Deno.test("a key that could not be deleted is a failure, one that was not there is none", async () => {
  const double = createS3Double();
  const answer = (code: string) =>
    new Response(`<DeleteResult><Error><Key>a</Key><Code>${code}</Code></Error></DeleteResult>`);
  double.intercept = () => answer("NoSuchKey");
  await storeOn(double).deleteMany(["a"]);
  double.intercept = () => answer("InternalError");
  const error = await throwsCode("store_failed", storeOn(double).deleteMany(["a", "b"]));
  assert.match(error.message, /a: InternalError/);
});

Deno.test("keys are deleted a thousand at a time", async () => {
  const double = createS3Double();
  await storeOn(double).deleteMany(Array.from({ length: 2001 }, (_, i) => `k/${i}`));
  const sizes = double.requests.map(({ body }) =>
    new TextDecoder().decode(body).split("<Key>").length - 1
  );
  assert.deepEqual(sizes, [1000, 1000, 1]);
});

Deno.test("a body that is shorter than its Content-Length is a failure", async () => {
  const double = createS3Double();
  double.intercept = () => new Response(new Uint8Array(5), { headers: { "content-length": "9" } });
  await throwsCode("store_failed", storeOn(double).get("k"));
});

Deno.test("a server that ignores Range is read as far as needed and no further", async () => {
  const double = createS3Double();
  let pulled = 0;
  double.intercept = () =>
    new Response(
      new ReadableStream({
        pull(controller) {
          controller.enqueue(new Uint8Array(10).fill(pulled++));
          if (pulled === 1000) controller.close();
        },
      }),
    );
  const bytes = await storeOn(double).getRange("k", 15, 10);
  assert.deepEqual([...bytes], [1, 1, 1, 1, 1, 2, 2, 2, 2, 2]);
  assert.ok(pulled < 20, `${pulled} chunks were taken`);
  double.intercept = () => new Response(new Uint8Array(10));
  await throwsCode("range_not_satisfiable", storeOn(double).getRange("k", 10, 1));
});

Deno.test("an answer with another range than asked for is a failure", async () => {
  const double = createS3Double();
  double.intercept = () =>
    new Response(new Uint8Array(4), {
      status: 206,
      headers: { "content-range": "bytes 0-3/10" },
    });
  await throwsCode("store_failed", storeOn(double).getRange("k", 4, 4));
});

Deno.test("signed URLs live as long as asked, seven days at most", async () => {
  const store = storeOn(createS3Double());
  const expires = async (seconds: number) =>
    new URL(await store.signDownload("a b/+c", seconds)).searchParams.get("X-Amz-Expires");
  assert.equal(await expires(60), "60");
  assert.equal(await expires(10_000_000), "604800");
  assert.ok((await store.signDownload("a b/+c", 60)).startsWith("https://s3.test/b/a%20b/%2Bc?"));
});

Deno.test("a signed upload URL holds a body to the length that was declared", async () => {
  const store = storeOn(createS3Double());
  const signed = async (size?: number) => {
    const { url } = await store.signUpload("incoming/u/k", { size });
    const query = new URL(url).searchParams;
    return [query.get("X-Amz-SignedHeaders"), query.get("X-Amz-Signature")];
  };
  assert.equal((await signed())[0], "host");
  const [headers, signature] = await signed(12);
  assert.equal(headers, "content-length;host");
  assert.notEqual((await signed(13))[1], signature);
});
