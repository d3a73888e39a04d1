import { strict as assert } from "node:assert";
import { createInsideFetch } from "../../supabase/local/gateway/inside_fetch.ts";

/** An origin with a server that says that the socket was used, and the calls that came inside. */
async function withOrigin(
  handler: (request: Request) => Promise<Response>,
  test: (send: typeof fetch, origin: string) => Promise<void>,
) {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("socket"),
  );
  const origin = `http://127.0.0.1:${server.addr.port}`;
  try {
    await test(createInsideFetch(origin, handler), origin);
  } finally {
    await server.shutdown();
  }
}

const echo = async (request: Request) =>
  Response.json({
    url: request.url,
    method: request.method,
    headers: Object.fromEntries(request.headers),
    body: await request.text(),
  });

Deno.test("a POST of text or bytes to the stack is answered inside, with its headers and length", () =>
  withOrigin(echo, async (send, origin) => {
    for (const body of ["ünd", new TextEncoder().encode("ünd")]) {
      const response = await send(`${origin}/rest/v1/rpc/f?a=1`, {
        method: "POST",
        headers: { apikey: "k" },
        body,
      });
      const got = await response.json();
      assert.equal(got.url, `${origin}/rest/v1/rpc/f?a=1`);
      assert.equal(got.method, "POST");
      assert.equal(got.body, "ünd");
      assert.equal(got.headers.apikey, "k");
      assert.equal(got.headers["content-length"], "4");
    }
  }));

Deno.test("reads, streams and other hosts go by the socket", () =>
  withOrigin(echo, async (send, origin) => {
    const streamed = { method: "POST", body: new Blob(["a"]).stream(), duplex: "half" };
    assert.equal(await (await send(`${origin}/a`)).text(), "socket");
    assert.equal(await (await send(`${origin}/a`, streamed as RequestInit)).text(), "socket");
    await withOrigin(echo, async (_, other) => {
      const posted = await send(`${other}/a`, { method: "POST", body: "a" });
      assert.equal(await posted.text(), "socket");
    });
  }));

Deno.test("a signal ends the wait for an answer, before and during the call", () =>
  withOrigin(() => new Promise(() => {}), async (send, origin) => {
    const post = (signal: AbortSignal) => send(`${origin}/a`, { method: "POST", body: "", signal });
    await assert.rejects(post(AbortSignal.abort(new Error("before"))), /before/);
    const aborter = new AbortController();
    const waiting = post(aborter.signal);
    aborter.abort(new Error("during"));
    await assert.rejects(waiting, /during/);
  }));

Deno.test("a gateway that throws answers 500, as its socket does", () =>
  withOrigin(() => Promise.reject(new Error("broken")), async (send, origin) => {
    const said = console.error;
    console.error = () => {};
    try {
      const response = await send(`${origin}/a`, { method: "POST", body: "a" });
      assert.equal(response.status, 500);
      await response.body?.cancel();
    } finally {
      console.error = said;
    }
  }));
