import { strict as assert } from "node:assert";
import * as z from "zod";
import { SedimentError } from "../../shared/errors.ts";
import { createHttpApp, refuseOtherMethods } from "../../shared/http/http_app.ts";
import { problemResponse } from "../../shared/http/problem.ts";
import { jsonWorkMs, maxJsonBytes, readJson } from "../../shared/http/read_json.ts";
import { readMultipart } from "../../shared/http/read_multipart.ts";

function sample() {
  const app = createHttpApp("sample");
  app.get("/hello", (c) => c.text("hello"));
  app.get("/broken", () => {
    throw new Error("the password is hunter2");
  });
  app.get("/limited", () => {
    throw new SedimentError("rate_limited", "60 a minute", { retryAfterSeconds: 12.3 });
  });
  app.post("/refuse", () => {
    throw new SedimentError("forbidden", "no");
  });
  app.post("/json", async (c) => {
    const schema = z.object({
      table: z.string().regex(/^[a-z]+$/, "a-z"),
      n: z.int("a whole number"),
    });
    return c.json(await readJson(c.req.raw, schema));
  });
  app.post("/form", async (c) => {
    const form = await readMultipart(c.req.raw, { maxBytes: Number(c.req.query("max") ?? 1000) });
    return c.json({ text: await form.text("metadata"), size: (await form.bytes("file")).length });
  });
  refuseOtherMethods(app, "/hello", ["GET"]);
  return app;
}

const call = (path: string, init?: RequestInit) =>
  Promise.resolve(sample().fetch(new Request(`http://localhost${path}`, init)));

async function silently<T>(action: () => Promise<T>): Promise<{ result: T; lines: string[] }> {
  const real = console.error;
  const lines: string[] = [];
  console.error = (...words: unknown[]) => void lines.push(words.join(" "));
  try {
    return { result: await action(), lines };
  } finally {
    console.error = real;
  }
}

Deno.test("an app answers below its name and below /functions/v1", async () => {
  for (const path of ["/sample/hello", "/functions/v1/sample/hello"]) {
    const response = await call(path);
    assert.equal(await response.text(), "hello", path);
  }
  assert.equal((await call("/hello")).status, 404);
});

Deno.test("a harmless request id comes back and a harmful one is replaced", async () => {
  const kept = await call("/sample/hello", { headers: { "x-request-id": "abc-123" } });
  assert.equal(kept.headers.get("x-request-id"), "abc-123");
  const replaced = await call("/sample/hello", { headers: { "x-request-id": 'a"<script>' } });
  assert.match(replaced.headers.get("x-request-id")!, /^[0-9a-f-]{36}$/);
});

Deno.test("an error is problem+json with its code, and the request id is in it", async () => {
  const response = await call("/sample/refuse", {
    method: "POST",
    body: "x",
    headers: { "x-request-id": "r1" },
  });
  assert.equal(response.status, 403);
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  const problem = await response.json();
  assert.equal(problem.code, "forbidden");
  assert.equal(problem.status, 403);
  assert.equal(problem.request_id, "r1");
  assert.equal(problem.type, "urn:sediment:problem:forbidden");
});

Deno.test("an error of ours tells the log and not the caller", async () => {
  const { result: response, lines } = await silently(() => call("/sample/broken"));
  assert.equal(response.status, 500);
  const text = await response.text();
  assert.ok(!text.includes("hunter2"), text);
  assert.ok(lines.join().includes("hunter2"));
});

Deno.test("Retry-After is whole seconds, never sooner than asked", async () => {
  const response = await call("/sample/limited");
  assert.equal(response.status, 429);
  assert.equal(response.headers.get("retry-after"), "13");
  const quota = problemResponse(new SedimentError("quota_exceeded", "5 bytes"), "id");
  assert.equal(quota.headers.get("retry-after"), "3600", "every 429 says when");
});

Deno.test("a wrong method is 405 with Allow, a wrong path 404, both as problems", async () => {
  const method = await call("/sample/hello", { method: "DELETE" });
  assert.equal(method.status, 405);
  assert.equal(method.headers.get("allow"), "GET");
  assert.equal((await method.json()).code, "method_not_allowed");
  const path = await call("/sample/nowhere");
  assert.equal((await path.json()).code, "not_found");
});

Deno.test("CORS is the same on preflights, answers and errors alike", async () => {
  const preflight = await call("/sample/json", { method: "OPTIONS" });
  assert.equal(preflight.status, 204);
  assert.equal(
    preflight.headers.get("access-control-allow-headers"),
    "authorization, apikey, x-client-info, content-type, idempotency-key, range, x-upload-token",
  );
  for (const path of ["/sample/hello", "/sample/nowhere", "/sample/limited"]) {
    const { headers } = await call(path);
    assert.equal(headers.get("access-control-allow-origin"), "*", path);
    assert.equal(
      headers.get("access-control-expose-headers"),
      "etag, content-range, retry-after",
      path,
    );
  }
});

Deno.test("a refused body is read away, but not without a bound", async () => {
  let pulled = 0;
  const body = (total: number) =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        if (pulled >= total) return controller.close();
        pulled += 65_536;
        controller.enqueue(new Uint8Array(65_536));
      },
    });
  const send = (total: number) => {
    pulled = 0;
    return call(
      "/sample/refuse",
      { method: "POST", body: body(total), duplex: "half" } as RequestInit,
    );
  };
  assert.equal((await send(1_000_000)).status, 403);
  assert.ok(pulled >= 1_000_000, "a small body was left unread");
  assert.equal((await send(Infinity)).status, 403);
  assert.ok(pulled < 6_000_000, `${pulled} bytes were read`);
});

Deno.test("JSON that does not fit names the field, what was there and what was expected", async () => {
  const post = async (body: string) =>
    await (await call("/sample/json", { method: "POST", body })).json();
  const name = await post('{"table": "../etc", "n": 1}');
  assert.deepEqual([name.code, name.field, name.expected], ["invalid_name", "table", "a-z"]);
  assert.match(name.detail, /\.\.\/etc/);
  const missing = await post('{"table": "a"}');
  assert.deepEqual([missing.code, missing.field], ["invalid_request", "n"]);
  assert.match(missing.detail, /missing/);
  assert.equal((await post("[]")).field, "body");
  assert.equal((await post("{")).code, "invalid_json");
});

Deno.test("JSON that is not UTF-8, nested 100,000 deep or over the limit is a 4xx", async () => {
  const post = (body: BodyInit) => call("/sample/json", { method: "POST", body });
  assert.equal(
    (await (await post(new Uint8Array([0x22, 0xff, 0x22]))).json()).code,
    "invalid_json",
  );
  const deep = await post("[".repeat(100_000) + "]".repeat(100_000));
  assert.equal(deep.status, 400);
  await deep.body?.cancel();
  const wide = await post("[" + "1,".repeat(maxJsonBytes / 2) + "1]");
  assert.equal(wide.status, 413);
  assert.equal((await wide.json()).code, "body_too_large");
});

Deno.test("a body of more fields than any request has is refused without a look at each", async () => {
  const fields = (count: number) =>
    JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, 1])));
  const post = async (count: number) =>
    await (await call("/sample/json", { method: "POST", body: fields(count) })).json();
  const crowd = await post(201);
  assert.deepEqual([crowd.code, crowd.field], ["invalid_request", "body"]);
  assert.match(crowd.detail, /201 fields/);
  assert.doesNotMatch((await post(200)).detail, /200 fields/);
});

Deno.test("a body of more fields and entries than any request has is refused before it is read", async () => {
  const post = async (body: string) =>
    await (await call("/sample/json", { method: "POST", body })).json();
  const crowd = await post("[" + "1,".repeat(4096)); // nor is it JSON
  assert.deepEqual([crowd.code, crowd.field], ["invalid_request", "body"]);
  assert.match(crowd.detail, /over 4096/);
  const slice = { table_name: "t", start_byte: 0, byte_length: 1, format: "parquet", num_rows: 1 };
  const most = { table_offsets: JSON.stringify(Array(128).fill(slice)), path: ":".repeat(1024) };
  for (const body of [JSON.stringify(most), JSON.stringify({ ids: Array(1000).fill(1) }), "[,"]) {
    assert.doesNotMatch((await post(body)).detail ?? "", /over 4096/);
  }
});

Deno.test("what reading a body takes is known by its head", () => {
  const ms = (headers: Record<string, string>) =>
    jsonWorkMs(new Request("http://x", { method: "POST", headers }));
  assert.ok(ms({ "content-length": "300" }) < 0.1);
  assert.equal(
    ms({ "content-length": "9999999999" }),
    ms({ "content-length": String(maxJsonBytes) }),
  );
  assert.equal(ms({}), ms({ "content-length": String(maxJsonBytes) }), "chunked");
  assert.equal(ms({ "content-length": "x" }), ms({}));
  assert.equal(ms({ "content-type": "multipart/form-data; boundary=b" }), 0);
});

Deno.test("multipart parts arrive whole; missing, broken and oversized ones are refused", async () => {
  const send = async (form: FormData | string, type?: string) => {
    const headers = type === undefined ? undefined : { "content-type": type };
    const response = await call("/sample/form", { method: "POST", body: form, headers });
    return { status: response.status, body: await response.json() };
  };
  const form = (size: number) => {
    const form = new FormData();
    form.set("metadata", "{}");
    form.set("file", new Blob([new Uint8Array(size)]), "f.parquet");
    return form;
  };
  assert.deepEqual((await send(form(1000))).body, { text: "{}", size: 1000 });
  assert.equal((await send(form(1001))).body.code, "body_too_large");
  assert.equal((await send(form(200_000))).status, 413);
  const without = new FormData();
  without.set("metadata", "{}");
  const missing = await send(without);
  assert.deepEqual([missing.body.code, missing.body.field], ["invalid_multipart", "file"]);
  for (const type of ["multipart/form-data", "multipart/form-data; boundary=zzz"]) {
    assert.equal((await send("no parts here", type)).body.code, "invalid_multipart", type);
  }
});

Deno.test("a form's field is no longer than a JSON body, and its parts are few, however it is written", async () => {
  const send = async (head: string, body: string, count = 1) => {
    const part = `--b\r\ncontent-disposition: form-data; name="metadata"${head}\r\n\r\n${body}\r\n`;
    const response = await call("/sample/form?max=8000000", {
      method: "POST",
      headers: { "content-type": "multipart/form-data; boundary=b" },
      body: `${part.repeat(count)}--b--\r\n`,
    });
    return await response.json();
  };
  // The second is left to the runtime's parser.
  for (const head of ["", "; other=x"]) {
    const long = await send(head, "[".repeat(maxJsonBytes + 1));
    assert.deepEqual([long.code, long.field], ["body_too_large", "metadata"]);
    const most = await send(head, "[".repeat(maxJsonBytes));
    assert.deepEqual([most.code, most.field], ["invalid_multipart", "file"]);
    const many = await send(head, "", 1000);
    assert.deepEqual([many.code, many.field], ["invalid_multipart", "body"]);
    const few = await send(head, "", 64);
    assert.deepEqual([few.code, few.field], ["invalid_multipart", "file"]);
  }
});

Deno.test("a field named like what every object has is refused as any other", async () => {
  const app = createHttpApp("strict");
  app.post("/", async (c) => c.json(await readJson(c.req.raw, z.strictObject({ n: z.int("n") }))));
  for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty", "other"]) {
    const body = `{"n":1,"${name}":1}`;
    const response = await app.fetch(
      new Request("http://localhost/strict", { method: "POST", body }),
    );
    const problem = await response.json();
    assert.deepEqual([response.status, problem.code], [400, "invalid_request"], name);
    assert.equal(problem.field, name);
  }
});

Deno.test("whatever is answered, nobody is to guess another type than it says", async () => {
  for (const path of ["/sample/hello", "/sample/broken", "/sample/limited", "/sample/nowhere"]) {
    const { result } = await silently(() => call(path));
    assert.equal(result.headers.get("x-content-type-options"), "nosniff", path);
    await result.body?.cancel();
  }
  const preflight = await call("/sample/hello", { method: "OPTIONS" });
  assert.equal(preflight.headers.get("x-content-type-options"), "nosniff");
});

Deno.test("where no function answers, the answer has what all have, and the body is drained", async () => {
  const nowhere = createHttpApp("");
  for (const path of ["/none", "/functions/v1/none/below", "/"]) {
    const response = await nowhere.fetch(
      new Request(`http://edge.local${path}`, { method: "POST", body: "x" }),
    );
    assert.deepEqual([response.status, (await response.json()).code], [404, "not_found"]);
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
    assert.ok(response.headers.get("access-control-allow-origin"));
    assert.match(response.headers.get("x-request-id") ?? "", /\S/);
  }
});
