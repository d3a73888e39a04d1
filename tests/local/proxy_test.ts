import { strict as assert } from "node:assert";
import { proxy } from "../../supabase/local/gateway/proxy.ts";

/** Answers of a server, through the proxy. */
async function through(
  answer: (request: Request) => Response | Promise<Response>,
  init: RequestInit = {},
): Promise<Response> {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    answer,
  );
  const request = new Request("http://gateway.local/x", init);
  const response = await proxy(request, `http://127.0.0.1:${server.addr.port}/x`, undefined);
  // Read here: the server is gone afterwards.
  const body = response.body === null ? null : await response.bytes();
  return new Response(body, { status: response.status, headers: response.headers });
}

Deno.test("bodies of any length go through, there and back", async () => {
  for (const length of [0, 1, 64 * 1024, 64 * 1024 + 1, 1_000_000]) {
    const body = new Uint8Array(length).map((_, n) => n);
    const response = await through(async (request) => new Response(await request.bytes()), {
      method: "POST",
      body,
    });
    assert.deepEqual(await response.bytes(), body, String(length));
  }
});

Deno.test("an answer without a body has none behind the proxy, whatever length it declares", async () => {
  const head = await through(
    () => new Response(null, { headers: { "content-length": "5" } }),
    { method: "HEAD" },
  );
  assert.deepEqual([head.status, head.body], [200, null]);
  for (const status of [204, 304]) {
    const empty = await through(() => new Response(null, { status }));
    assert.deepEqual([empty.status, empty.body], [status, null]);
  }
});

Deno.test("an answer that came compressed is passed on as what it is now", async () => {
  const text = "the same again, ".repeat(30);
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  const zipped = await new Response(stream).bytes();
  const response = await through(() =>
    new Response(zipped, {
      headers: { "content-encoding": "gzip", "content-length": String(zipped.length) },
    })
  );
  assert.equal(response.headers.get("content-encoding"), null);
  assert.equal(await response.text(), text);
});

Deno.test("an answer that breaks off is 502, and says so", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    using connection = await listener.accept();
    await connection.read(new Uint8Array(4096));
    await connection.write(
      new TextEncoder().encode("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"),
    );
  })();
  try {
    const { port } = listener.addr as Deno.NetAddr;
    const request = new Request("http://gateway.local/x");
    const response = await proxy(request, `http://127.0.0.1:${port}/x`, undefined);
    assert.equal(response.status, 502);
    assert.match((await response.json()).message, /broke its answer off/);
  } finally {
    await serving;
    listener.close();
  }
});
