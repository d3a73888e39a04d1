import { strict as assert } from "node:assert";
import postgres, { type Sql } from "postgres";
import { type Stack, startStack } from "../../supabase/local/stack.ts";
import { eventually } from "../support/eventually.ts";

interface Seen {
  method: string;
  url: string;
  body: string;
  key: string | null;
}

let stack: Stack;
let sql: Sql;
let server: Deno.HttpServer<Deno.NetAddr>;
let target: string;
const seen: Seen[] = [];
/** Until then /slow does not answer. */
const slow = Promise.withResolvers<void>();

Deno.test.beforeAll(async () => {
  server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    if (pathname === "/slow") await slow.promise;
    seen.push({
      method: request.method,
      url: pathname + search,
      body: await request.text(),
      key: request.headers.get("apikey"),
    });
    return Response.json({ ok: true }, { status: 201 });
  });
  target = `http://127.0.0.1:${server.addr.port}`;
  stack = await startStack({ migrations: false, functions: false });
  sql = postgres(stack.dbUrl, { max: 1, onnotice: () => {} });
  await sql`create extension pg_net`;
});
Deno.test.afterAll(async () => {
  await sql.end();
  await stack.stop();
  await server.shutdown();
});

const answerTo = (id: string) =>
  eventually(
    "the answer",
    async () => (await sql`select * from net._http_response where id = ${id}`)[0],
  );

Deno.test("http_post sends body, headers and parameters, and the answer is kept", async () => {
  const [{ id }] = await sql`
    select net.http_post(url := ${target} || '/post', body := '{"a": [1, "ü"]}'::jsonb,
      params := '{"q": "x y&z"}'::jsonb,
      headers := jsonb_build_object('Content-Type', 'application/json', 'apikey', 'sb_secret_x'),
      timeout_milliseconds := 60000) as id`;
  const answer = await answerTo(id);
  assert.equal(answer.status_code, 201);
  assert.deepEqual(JSON.parse(answer.content), { ok: true });
  assert.equal(answer.timed_out, false);
  const request = seen.find((s) => s.url.startsWith("/post"))!;
  assert.equal(request.method, "POST");
  assert.equal(request.url, "/post?q=x%20y%26z");
  assert.deepEqual(JSON.parse(request.body), { a: [1, "ü"] });
  assert.equal(request.key, "sb_secret_x");
});

Deno.test("nothing is sent before commit, and nothing after a rollback", async () => {
  await sql.begin(async (tx) => {
    await tx`select net.http_get(${target + "/undone"})`;
    throw new Error("undo");
  }).catch(() => {});
  await sql.begin(async (tx) => {
    await tx`select net.http_get(${target + "/done"})`;
    await tx`select pg_sleep(1.2)`; // longer than the worker's own poll
    assert.equal(seen.some((s) => s.url === "/done"), false, "sent inside of the transaction");
  });
  await eventually("the committed request", () => seen.some((s) => s.url === "/done"));
  assert.equal(seen.some((s) => s.url === "/undone"), false);
});

Deno.test("a request that takes longer than its timeout is recorded as timed out", async () => {
  const [{ id }] = await sql`
    select net.http_get(${target + "/slow"}, timeout_milliseconds := 200) as id`;
  const answer = await answerTo(id);
  assert.equal(answer.timed_out, true);
  assert.match(answer.error_msg, /Timeout of 200 ms/);
  slow.resolve();
});

Deno.test("a refused connection is recorded with its error", async () => {
  const [{ id }] = await sql`select net.http_get('http://127.0.0.1:1/') as id`;
  const answer = await answerTo(id);
  assert.equal(answer.status_code, null);
  assert.ok(answer.error_msg);
});

Deno.test("more requests than a batch are all sent, once each", async () => {
  await sql`select net.http_get(${target} || '/many', params := jsonb_build_object('n', n),
      timeout_milliseconds := 60000)
    from generate_series(1, 450) n`;
  const many = await eventually("450 requests", () => {
    const found = seen.filter((s) => s.url.startsWith("/many"));
    return found.length >= 450 && found;
  });
  assert.equal(new Set(many.map((s) => s.url)).size, 450);
  assert.equal(many.length, 450);
});

Deno.test("service_role may send, authenticated may not read the answers", async () => {
  const admin = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  try {
    const [{ id }] = await admin.begin(async (tx) => {
      await tx`set local role service_role`;
      return tx`select net.http_get(${target + "/as-service"}) as id`;
    });
    await answerTo(id);
    await assert.rejects(
      admin.begin(async (tx) => {
        await tx`set local role authenticated`;
        await tx`select * from net._http_response`;
      }),
      { code: "42501" },
    );
  } finally {
    await admin.end();
  }
});
