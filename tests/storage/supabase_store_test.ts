/** What the Supabase store makes of answers that a healthy Storage API doesn't give. */
import { strict as assert } from "node:assert";

import { type ErrorCode, SedimentError } from "../../shared/errors.ts";
import { createSupabaseStore } from "../../shared/storage/supabase_store.ts";

/** A store whose every request gets one answer, and the requests. */
function answering(answer: () => Response | Promise<Response>, secretKey = "sb_secret_x") {
  const requests: { url: string; init: RequestInit; headers: Headers }[] = [];
  const store = createSupabaseStore({
    url: "https://p.test/",
    secretKey,
    bucket: "my bucket",
    async fetch(url, init = {}) {
      requests.push({ url: String(url), init, headers: new Headers(init.headers) });
      if (init.body instanceof ReadableStream) await new Response(init.body).arrayBuffer();
      return await answer();
    },
  });
  return { store, requests };
}

async function throwsCode(code: ErrorCode, call: Promise<unknown>): Promise<SedimentError> {
  let caught: unknown;
  await assert.rejects(call, (thrown) => (caught = thrown, true));
  assert.ok(caught instanceof SedimentError, String(caught));
  assert.equal(caught.code, code, caught.message);
  return caught;
}

const refusal = (statusCode: string, error: string, message: string, http = 400) => () =>
  Response.json({ statusCode, error, message }, { status: http });

Deno.test("an answer's true status is found, with or without a code, at 400 or as it is", async () => {
  const cases: [() => Response, ErrorCode][] = [
    [refusal("404", "not_found", "Object not found"), "object_missing"],
    [refusal("404", "not_found", "Object not found", 404), "object_missing"],
    [refusal("404", "Not found", "The resource was not found"), "object_missing"],
    [refusal("404", "Bucket not found", "Bucket not found"), "misconfigured"],
    [refusal("409", "Duplicate", "The resource already exists"), "already_stored"],
    [refusal("413", "Payload too large", "The object exceeded the maximum"), "body_too_large"],
    [refusal("416", "invalid_range", "invalid range provided", 416), "range_not_satisfiable"],
    [refusal("400", "InvalidKey", "Invalid key: x"), "invalid_name"],
    [refusal("403", "Unauthorized", "new row violates row-level security"), "misconfigured"],
    [refusal("400", "InvalidJWT", "signature verification failed"), "store_failed"],
    [refusal("500", "Internal", "Internal Server Error", 500), "store_failed"],
    [() => new Response("<html>too large</html>", { status: 413 }), "body_too_large"],
    [() => new Response("<html>bad gateway</html>", { status: 502 }), "store_failed"],
    [() => new Response("", { status: 401 }), "misconfigured"],
  ];
  for (const [answer, code] of cases) await throwsCode(code, answering(answer).store.get("k"));
});

Deno.test("a head is null for a missing object only", async () => {
  const missing = answering(refusal("404", "not_found", "Object not found"));
  assert.equal(await missing.store.head("k"), null);
  const noBucket = answering(refusal("404", "Bucket not found", "Bucket not found"));
  await throwsCode("misconfigured", noBucket.store.head("k"));
  await throwsCode("store_failed", answering(() => new Response("{")).store.head("k"));
});

Deno.test("nothing is tried twice, and Retry-After is passed on", async () => {
  const { store, requests } = answering(() =>
    Response.json({ statusCode: "429", error: "SlowDown", message: "too many connections" }, {
      status: 429,
      headers: { "retry-after": "3" },
    })
  );
  const error = await throwsCode("store_failed", store.get("k"));
  assert.equal(error.retryAfterSeconds, 3);
  assert.equal(error.retryable, true);
  assert.equal(requests.length, 1);
});

Deno.test("a put whose object has another size than was sent is a failure", async () => {
  const answer = () => Response.json({ size: 3, etag: '"e"', last_modified: "2026-01-01" });
  const bytes = new Uint8Array(4);
  await throwsCode("store_failed", answering(answer).store.put("k", bytes));
  await throwsCode(
    "store_failed",
    answering(answer).store.putStream("k", new Blob([bytes]).stream()),
  );
  const info = await answering(answer).store.put("k", bytes.subarray(1));
  assert.deepEqual([info.size, info.etag], [3, "e"]);
});

Deno.test("a network failure can be retried; a signal's is told as such", async () => {
  const broken = () => Promise.reject(new TypeError("connection refused"));
  const error = await throwsCode("store_failed", answering(broken).store.get("k"));
  assert.ok(error.cause instanceof TypeError);
  const stop = new AbortController();
  const stopped = () => {
    stop.abort();
    return Promise.reject(stop.signal.reason);
  };
  await throwsCode("aborted", answering(stopped).store.get("k", { signal: stop.signal }));
});

Deno.test("a secret key goes into apikey alone, a JWT into Authorization too", async () => {
  for (
    const [key, authorization] of [["sb_secret_x", null], ["ey.J.wt", "Bearer ey.J.wt"]] as const
  ) {
    const { store, requests } = answering(() => new Response("x"), key);
    await store.get("a b/c+d");
    assert.equal(requests[0].headers.get("apikey"), key);
    assert.equal(requests[0].headers.get("authorization"), authorization);
    assert.equal(
      requests[0].url,
      "https://p.test/storage/v1/object/authenticated/my%20bucket/a%20b/c%2Bd",
    );
  }
});

Deno.test("only objects that are never written again may be kept by caches", async () => {
  for (
    const [upsert, kept] of [[false, "max-age=31536000, immutable"], [true, "no-cache"]] as const
  ) {
    const { store, requests } = answering(() =>
      Response.json({ size: 1, etag: '"e"', last_modified: "2026-01-01" })
    );
    await store.put("k", new Uint8Array(1), { upsert });
    assert.equal(requests[0].headers.get("cache-control"), kept);
    assert.equal(requests[0].headers.get("x-upsert"), String(upsert));
  }
});

Deno.test("a 500 to a range is the end of the object only where the object ends before it", async () => {
  const failure = refusal("500", "Internal", "Internal Server Error", 500);
  const info = () => Response.json({ size: 10, etag: '"e"', content_type: null, last_modified: 0 });
  const reading = (start: number) => {
    const answers = [failure, info];
    return answering(() => answers.shift()!()).store.getRange("k", start, 5);
  };
  const beyond = await throwsCode("range_not_satisfiable", reading(10));
  assert.match(beyond.message, /10 bytes/);
  await throwsCode("store_failed", reading(9));
});

Deno.test("a listed key is whole, whichever of the row's names has it, or none", async () => {
  const row = { updated_at: "2026-01-01T00:00:00Z", metadata: null };
  const rows = [
    { ...row, name: "p/a/b", key: "a/b" },
    { ...row, name: "b", key: "p/a/b" },
    { ...row, name: "p/a/b" },
    { ...row, name: "a/b" },
    { ...row, name: "a/b", key: "a/b" },
  ];
  const page = answering(() => Response.json({ hasNext: false, objects: rows }));
  const { objects } = await page.store.list("p/");
  assert.deepEqual(objects.map((object) => object.key), rows.map(() => "p/a/b"));
});

Deno.test("keys are deleted a thousand a request, each once and in order, and a refusal ends it there", async () => {
  const keys = Array.from({ length: 2001 }, (_, index) => `p/${index}`);
  const { store, requests } = answering(() => Response.json([]));
  await store.deleteMany(keys);
  const bodies = requests.map(({ init }) => JSON.parse(String(init.body)).prefixes as string[]);
  assert.deepEqual(bodies.map((prefixes) => prefixes.length), [1000, 1000, 1]);
  assert.deepEqual(bodies.flat(), keys);
  for (const { url, init, headers } of requests) {
    assert.equal(`${init.method} ${url}`, "DELETE https://p.test/storage/v1/object/my%20bucket");
    assert.equal(headers.get("content-type"), "application/json");
  }

  const none = answering(() => Response.json([]));
  await none.store.deleteMany([]);
  assert.equal(none.requests.length, 0);

  const answers = [
    () => Response.json([]),
    refusal("500", "Internal", "Internal Server Error", 500),
  ];
  const breaking = answering(() => answers.shift()!());
  const error = await throwsCode("store_failed", breaking.store.deleteMany(keys));
  assert.match(error.message, /p\/1000\b/);
  assert.equal(breaking.requests.length, 2);
});
