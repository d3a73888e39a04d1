import { strict as assert } from "node:assert";
import { SignJWT } from "jose";
import { startStack } from "../../supabase/local/stack.ts";
import { type Answer, call, sha256, signUp, type TestUser, uploadForm } from "../support/client.ts";
import { openTraces } from "../support/traces.ts";
import { makeFragments } from "../support/fragments.ts";

/** An answer has to be this problem, and nothing may have changed. */
type Expected = [status: number, code: string];

function assertProblem(answer: Answer, [status, code]: Expected, what: string): void {
  const shown = `${what}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 400)}`;
  assert.equal(answer.status, status, shown);
  assert.equal(answer.headers.get("content-type"), "application/problem+json", shown);
  assert.equal(answer.body.code, code, shown);
  assert.equal(answer.body.status, status, shown);
  assert.equal(answer.body.type, `urn:sediment:problem:${code}`, shown);
  assert.ok(answer.body.title && answer.body.detail && answer.body.request_id, shown);
  assert.equal(answer.headers.get("x-request-id"), answer.body.request_id, shown);
}

async function firstFragment(): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir({ prefix: "sediment-bad-" });
  try {
    const [fragment] = await makeFragments(folder, 1, 50);
    return await Deno.readFile(fragment.path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("every bad input is its own 4xx, and nothing is stored or queued", async (t) => {
  const maxBody = 256 * 1024;
  await using stack = await startStack({
    cron: false,
    // the way that hosted functions go by default
    catalog: "postgrest",
    env: { SEDIMENT_MAX_BODY_BYTES: String(maxBody), SEDIMENT_BODY_STALL_MS: "300" },
  });
  await using traces = openTraces(stack);
  const [alice, bob] = [
    await signUp(stack, "alice@example.com"),
    await signUp(stack, "bob@example.com"),
  ];
  const good = await firstFragment();
  const dataset = crypto.randomUUID();
  const describe = (bytes: Uint8Array, some: Record<string, unknown> = {}) => ({
    dataset_id: dataset,
    table: "battles",
    period_tag: "2024-11-25",
    file_size: bytes.length,
    content_hash: sha256(bytes),
    ...some,
  });
  const step1 = (user: TestUser, json: unknown) =>
    call(stack, "POST", "/battle-data/upload", { headers: user.headers, json });
  const multipart = (user: TestUser, metadata: Record<string, unknown>, file: Uint8Array) =>
    call(stack, "POST", "/battle-data/upload", {
      headers: user.headers,
      body: uploadForm(metadata, file),
    });

  // Something good is there first, so that what is unchanged is not merely empty.
  const stored = await multipart(alice, describe(good), good);
  assert.equal(stored.status, 200, JSON.stringify(stored.body));
  await call(stack, "POST", "/compaction", {
    headers: alice.headers,
    json: { datasetId: dataset },
  });
  const before = await traces.read();
  assert.deepEqual([before.uploads, before.messages, before.stored], [1, 1, 1]);

  const step = (what: string, action: () => Promise<void>) =>
    t.step(what, async () => {
      await action();
      assert.deepEqual(await traces.read(), before, `${what} left something behind`);
    });

  /** Bytes that are refused, by both protocols. */
  const bytes: [string, Uint8Array, Expected, Record<string, unknown>?][] = [
    ["bytes that are not Parquet", new TextEncoder().encode("hello, world"), [422, "not_parquet"]],
    ["Parquet without its end", good.slice(0, good.length - 9), [422, "invalid_parquet"]],
    ["Parquet without its middle", gutted(good), [422, "invalid_parquet"]],
    ["a NUL in a name", nulNamed(good), [422, "unsupported_parquet"]],
    ["another hash", good, [422, "hash_mismatch"], { content_hash: "ab".repeat(32), table: "x" }],
    ["another size", good, [422, "size_mismatch"], { file_size: good.length + 1 }],
    ["a num_rows that lies", good, [422, "row_count_mismatch"], {
      table: "x",
      table_offsets: [{ table_name: "x", start_byte: 0, byte_length: good.length, num_rows: 51 }],
    }],
    ["a slice that is not Parquet", good, [422, "not_parquet"], {
      table: "x",
      table_offsets: [{ table_name: "x", start_byte: 4, byte_length: 100 }],
    }],
    ["the same body with offsets", good, [422, "upload_conflict"], {
      table_offsets: [{ table_name: "battles", start_byte: 0, byte_length: good.length }],
    }],
    ["a dataset of another user", good, [403, "dataset_forbidden"]],
  ];
  for (const [what, body, expected, some = {}] of bytes) {
    const user = expected[1] === "dataset_forbidden" ? bob : alice;
    await step(`${what}, in one request`, async () => {
      assertProblem(await multipart(user, describe(body, some), body), expected, what);
    });
    await step(`${what}, in two requests`, async () => {
      const planned = await step1(user, describe(body, some));
      // Some faults show before the bytes do.
      if (planned.status !== 200) return assertProblem(planned, expected, what);
      for (const method of ["PUT", "POST"]) {
        const sent = await call(stack, method, planned.body.uploadUrl, { body: body as BodyInit });
        assertProblem(
          sent,
          expected[1] === "stage_expired" ? [410, "stage_expired"] : expected,
          what,
        );
        // What can never do is given up at once; sent again it is refused for its bytes all the same.
      }
    });
  }

  await step("an empty file", async () => {
    const empty = new Uint8Array(0);
    assertProblem(await step1(alice, describe(empty)), [422, "empty_file"], "step 1");
    assertProblem(await multipart(alice, describe(empty), empty), [422, "empty_file"], "multipart");
    const planned = await step1(alice, describe(good, { table: "y" }));
    const sent = await call(stack, "PUT", planned.body.uploadUrl, { body: empty });
    assertProblem(sent, [422, "empty_file"], "step 2");
  });

  await step("names outside of the alphabet", async () => {
    const names = ["", "../x", "a/b", "a b", "é", "a".repeat(65), "a\u0000", 5, null];
    for (const name of names) {
      for (const field of ["table", "period_tag", "kc_period_tag"]) {
        if (name === null && field === "kc_period_tag") continue;
        const metadata = describe(good, field === "kc_period_tag" ? { period_tag: undefined } : {});
        const bad = { ...metadata, [field]: name };
        assertProblem(await step1(alice, bad), [400, "invalid_name"], `${field} ${name}`);
        assertProblem(await multipart(alice, bad, good), [400, "invalid_name"], `${field} ${name}`);
      }
    }
  });

  await step("other fields that do not fit", async () => {
    const cases: Record<string, unknown>[] = [
      { dataset_id: "1" },
      { dataset_id: undefined },
      { content_hash: "ab" },
      { file_size: -1 },
      { file_size: 1.5 },
      { file_size: "many" },
      { format: "csv" },
      { kc_period_tag: "another" },
    ];
    for (const some of cases) {
      const answer = await step1(alice, describe(good, some));
      assertProblem(answer, [400, "invalid_request"], JSON.stringify(some));
      assert.ok(answer.body.field in describe(good, some), answer.body.field);
      assert.ok(answer.body.expected);
    }
  });

  await step("offsets that do not fit", async () => {
    const slice = { table_name: "a", start_byte: 0, byte_length: 10 };
    const cases: unknown[] = [
      [],
      "[]",
      "[",
      "{}",
      7,
      [slice, { ...slice, start_byte: 9 }],
      [{ ...slice, byte_length: good.length + 1 }],
      [{ ...slice, start_byte: 0.5 }],
      [{ ...slice, start_byte: -1 }],
      [{ ...slice, byte_length: 0 }],
      [{ ...slice, table_name: "../a" }],
      Array(500).fill(slice),
    ];
    for (const table_offsets of cases) {
      const shown = JSON.stringify(table_offsets).slice(0, 60);
      const answer = await step1(alice, describe(good, { table_offsets }));
      assertProblem(answer, [422, "invalid_offsets"], shown);
      if (shown.length < 60) {
        const form = await multipart(alice, describe(good, { table_offsets }), good);
        assertProblem(form, [422, "invalid_offsets"], shown);
      }
    }
  });

  await step(
    "no token, a broken, a forged, an expired one, and a key that is no user",
    async () => {
      const send = (headers: Record<string, string>) =>
        call(stack, "POST", "/battle-data/upload", { headers, json: describe(good) });
      const none = await send({});
      assertProblem(none, [401, "unauthenticated"], "no token");
      assert.equal(none.headers.get("www-authenticate"), "Bearer");
      const [head, payload, signature] = alice.accessToken.split(".");
      const bobs = bob.accessToken.split(".");
      const expired = await new SignJWT({ role: "authenticated" })
        .setProtectedHeader({ alg: "HS256", kid: "x" }).setSubject(alice.id).setExpirationTime(1)
        .sign(new Uint8Array(32));
      const bad = [
        "nonsense",
        "a.b.c",
        `${head}.${bobs[1]}.${signature}`,
        `${head}.${payload}.`,
        expired,
      ];
      for (const token of bad) {
        assertProblem(
          await send({ authorization: `Bearer ${token}` }),
          [401, "unauthenticated"],
          token,
        );
      }
      assertProblem(
        await send({ apikey: stack.publishableKey }),
        [401, "unauthenticated"],
        "publishable",
      );
      assertProblem(
        await send({ authorization: `Bearer ${stack.publishableKey}` }),
        [401, "unauthenticated"],
        "publishable as bearer",
      );
      assertProblem(
        await send({ apikey: stack.secretKey }),
        [400, "invalid_request"],
        "nobody named",
      );
    },
  );

  await step("a body over the limit, with and without a length that says so", async () => {
    const large = new Uint8Array(maxBody + 100_000);
    assertProblem(await step1(alice, describe(large)), [413, "body_too_large"], "step 1");
    assertProblem(
      await multipart(alice, describe(large), large),
      [413, "body_too_large"],
      "multipart",
    );
    const planned = await step1(alice, describe(good, { table: "y" }));
    const url = planned.body.uploadUrl;
    const whole = await call(stack, "PUT", url, { body: large });
    assertProblem(whole, [413, "body_too_large"], "step 2");
    const response = await fetch(url, {
      method: "PUT",
      body: ReadableStream.from([large.subarray(0, 200_000), large.subarray(200_000)]),
    });
    // Its length is unknown, and no more of it is read than was said in step 1.
    assert.equal(response.status, 422);
    assert.equal((await response.json()).code, "size_mismatch");
  });

  await step("a body that stalls", async () => {
    const planned = await step1(alice, describe(good, { table: "y" }));
    const { pathname, search, hostname, port } = new URL(planned.body.uploadUrl);
    const connection = await Deno.connect({ hostname, port: Number(port) });
    const head =
      `PUT ${pathname}${search} HTTP/1.1\r\nhost: x\r\ncontent-length: ${good.length}\r\n\r\n`;
    await connection.write(new TextEncoder().encode(head));
    await connection.write(good.subarray(0, 1000));
    const buffer = new Uint8Array(4096);
    const length = await connection.read(buffer);
    connection.close();
    const text = new TextDecoder().decode(buffer.subarray(0, length!));
    assert.match(text, /^HTTP\/1.1 408 /);
    assert.match(text, /"code":"body_stalled"/);
  });

  await step("a Content-Length that lies", async () => {
    const planned = await step1(alice, describe(good, { table: "y" }));
    const { pathname, search, hostname, port } = new URL(planned.body.uploadUrl);
    const connection = await Deno.connect({ hostname, port: Number(port) });
    const head =
      `PUT ${pathname}${search} HTTP/1.1\r\nhost: x\r\ncontent-length: ${good.length}\r\n\r\n`;
    await connection.write(new TextEncoder().encode(head));
    await connection.write(good.subarray(0, 1000));
    await connection.closeWrite();
    await new Response(connection.readable).text().catch(() => "");
  });

  await step("an upload token that is used, forged, for another stage or expired", async () => {
    const planned = await step1(alice, describe(good));
    assert.equal(planned.body.duplicate, true);
    const url = new URL(planned.body.uploadUrl);
    const put = (href: string, body: Uint8Array) =>
      call(stack, "PUT", href, { body: body as BodyInit });
    const first = await put(url.href, good);
    assert.equal(first.status, 200);
    assert.deepEqual(first.body, { ...stored.body, duplicate: true });
    const other = good.slice();
    other[100] ^= 1;
    assertProblem(await put(url.href, other), [422, "hash_mismatch"], "used, with other bytes");
    const token = url.searchParams.get("token")!;
    for (const forged of ["", "x", token.slice(1), `${token}A`, token.replace(".", "..")]) {
      url.searchParams.set("token", forged);
      assertProblem(await put(url.href, good), [401, "token_invalid"], forged);
    }
    url.searchParams.set("token", token);
    url.pathname = url.pathname.replace(/[^/]+$/, crypto.randomUUID());
    assertProblem(await put(url.href, good), [401, "token_invalid"], "another stage");
  });

  await step("an upload planned for somebody else", async () => {
    const planned = await step1(alice, describe(good, { table: "y" }));
    const sent = await call(stack, "PUT", planned.body.uploadUrl, {
      headers: bob.headers,
      body: good as BodyInit,
    });
    assertProblem(sent, [403, "forbidden"], "bob's token");
  });

  await step("JSON that is none, deep or wide", async () => {
    const post = (body: BodyInit) =>
      call(stack, "POST", "/battle-data/upload", { headers: alice.headers, body });
    assertProblem(await post(""), [400, "invalid_json"], "nothing");
    assertProblem(await post("{"), [400, "invalid_json"], "broken");
    assertProblem(
      await post(new Uint8Array([0x7b, 0xff, 0x7d])),
      [400, "invalid_json"],
      "not UTF-8",
    );
    assertProblem(await post("null"), [400, "invalid_request"], "null");
    assertProblem(await post("[]"), [400, "invalid_request"], "array");
    const deep = `{"dataset_id":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
    assertProblem(await post(deep), [400, "invalid_request"], "deep");
    assertProblem(
      await post("[".repeat(5e6) + "]".repeat(5e6)),
      [413, "body_too_large"],
      "10 MB deep",
    );
    assertProblem(
      await post(`{${'"a":1,'.repeat(1.7e6)}"b":1}`),
      [413, "body_too_large"],
      "10 MB wide",
    );
  });

  await step("multipart that lacks its parts or its boundary", async () => {
    const post = (body: BodyInit, type?: string) =>
      call(stack, "POST", "/battle-data/upload", {
        headers: { ...alice.headers, ...(type ? { "content-type": type } : {}) },
        body,
      });
    const form = uploadForm(describe(good), good);
    form.delete("file");
    assertProblem(await post(form), [400, "invalid_multipart"], "no file");
    const other = uploadForm(describe(good), good);
    other.delete("metadata");
    assertProblem(await post(other), [400, "invalid_multipart"], "no metadata");
    const text = uploadForm({}, good);
    text.set("metadata", "not json");
    assertProblem(await post(text), [400, "invalid_json"], "metadata that is no JSON");
    assertProblem(
      await post("--x--", "multipart/form-data"),
      [400, "invalid_multipart"],
      "no boundary",
    );
    assertProblem(
      await post("junk", "multipart/form-data; boundary=y"),
      [400, "invalid_multipart"],
      "no such boundary",
    );
  });

  await step("readers and requests that do not fit", async () => {
    const get = (path: string, user = alice) => call(stack, "GET", path, { headers: user.headers });
    const chunks = (query: string) => `/battle-data/chunks?dataset_id=${dataset}${query}`;
    const cases: [string, Expected][] = [
      ["/battle-data/chunks", [400, "invalid_request"]],
      [chunks("&limit=0"), [400, "invalid_request"]],
      [chunks("&limit=9999"), [400, "invalid_request"]],
      [chunks("&table=../x"), [400, "invalid_name"]],
      [chunks("&cursor=nonsense"), [400, "invalid_cursor"]],
      [chunks("&version=999"), [404, "version_unknown"]],
      [`/battle-data/chunks?dataset_id=${crypto.randomUUID()}`, [404, "not_found"]],
      ["/battle-data/files/1e9/content", [400, "invalid_request"]],
      ["/battle-data/files/999/content", [404, "not_found"]],
      ["/battle-data/nowhere", [404, "not_found"]],
      ["/compaction/status/nonsense", [404, "run_not_found"]],
      [`/compaction/status/${crypto.randomUUID()}`, [404, "run_not_found"]],
    ];
    for (const [path, expected] of cases) assertProblem(await get(path), expected, path);
    assertProblem(await get(chunks(""), bob), [403, "dataset_forbidden"], "bob");
    const wrong = await call(stack, "DELETE", "/battle-data/upload", { headers: alice.headers });
    assertProblem(wrong, [405, "method_not_allowed"], "DELETE");
    const turn = await call(stack, "POST", "/compactor", { headers: alice.headers });
    assertProblem(turn, [403, "forbidden"], "a user's turn");
    const compaction = await call(stack, "POST", "/compaction", {
      headers: bob.headers,
      json: { datasetId: dataset },
    });
    assertProblem(compaction, [403, "dataset_forbidden"], "bob asks");
  });
});

Deno.test("an upload token that has expired is 410 token_expired, and nothing is stored", async () => {
  await using stack = await startStack({
    cron: false,
    env: { SEDIMENT_UPLOAD_TTL_SECONDS: "1" },
  });
  await using traces = openTraces(stack);
  const alice = await signUp(stack, "alice@example.com");
  const good = await firstFragment();
  const planned = await call(stack, "POST", "/battle-data/upload", {
    headers: alice.headers,
    json: {
      dataset_id: crypto.randomUUID(),
      table: "battles",
      file_size: good.length,
      content_hash: sha256(good),
    },
  });
  await new Promise((resolve) =>
    setTimeout(resolve, Date.parse(planned.body.expiresAt) - Date.now() + 10)
  );
  const sent = await call(stack, "PUT", planned.body.uploadUrl, { body: good as BodyInit });
  assertProblem(sent, [410, "token_expired"], "late");
  const { uploads, stored, messages } = await traces.read();
  assert.deepEqual([uploads, stored, messages], [0, 0, 0]);
});

/** A Parquet file whose page headers are gone while its footer is whole. */
function gutted(parquet: Uint8Array): Uint8Array {
  const copy = parquet.slice();
  const footer = new DataView(copy.buffer).getUint32(copy.length - 8, true);
  copy.fill(0xff, 4, copy.length - 8 - footer);
  return copy;
}

/** The same file with a name of its schema that PostgreSQL can't hold. */
function nulNamed(parquet: Uint8Array): Uint8Array {
  const copy = parquet.slice();
  const at = new TextDecoder("latin1").decode(copy).lastIndexOf("duckdb_schema");
  assert.ok(at > 0);
  copy[at] = 0;
  return copy;
}
