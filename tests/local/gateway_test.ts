import { strict as assert } from "node:assert";
import { createGateway, type Service } from "../../supabase/local/gateway/gateway.ts";
import { createTokens } from "../../supabase/local/gateway/tokens.ts";
import { loadKeys, type StackKeys } from "../../supabase/local/state/keys.ts";

/** A gateway over the given services, on a port of its own. */
async function withGateway(
  services: Partial<Record<"auth" | "storage" | "functions", Service>>,
  test: (url: string, keys: StackKeys) => Promise<void>,
) {
  const folder = await Deno.makeTempDir();
  const keys = await loadKeys(folder);
  const none: Service = { fetch: () => new Response(null, { status: 501 }) };
  const tokens = await createTokens(keys.signing, keys.internalSecret, "http://issuer");
  const handler = createGateway({
    keys,
    tokens,
    services: {
      restUrl: "http://127.0.0.1:1",
      auth: none,
      storage: none,
      functions: none,
      ...services,
    },
  });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler);
  try {
    await test(`http://127.0.0.1:${server.addr.port}`, keys);
  } finally {
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a function gets the path, the key and the body as the client sent them", () =>
  withGateway({
    functions: {
      fetch: async (request) =>
        Response.json({
          path: new URL(request.url).pathname,
          apikey: request.headers.get("apikey"),
          length: request.headers.get("content-length"),
          body: await request.text(),
        }),
    },
  }, async (url) => {
    const response = await fetch(`${url}/functions/v1/battle-data/upload`, {
      method: "POST",
      headers: { apikey: "sb_secret_x" },
      body: "hello",
    });
    assert.deepEqual(await response.json(), {
      path: "/functions/v1/battle-data/upload",
      apikey: "sb_secret_x",
      length: "5",
      body: "hello",
    });
  }));

Deno.test("a body is passed on as it comes, not gathered first", () => {
  const firstChunk = Promise.withResolvers<string>();
  return withGateway({
    functions: {
      fetch: async (request) => {
        const reader = request.body!.getReader();
        firstChunk.resolve(new TextDecoder().decode((await reader.read()).value));
        while (!(await reader.read()).done);
        return new Response("done");
      },
    },
  }, async (url) => {
    const sending = new TransformStream<Uint8Array, Uint8Array>();
    const writer = sending.writable.getWriter();
    const answer = fetch(`${url}/functions/v1/x`, { method: "POST", body: sending.readable });
    await writer.write(new TextEncoder().encode("first"));
    // The function has it while the client still sends.
    assert.equal(await firstChunk.promise, "first");
    await writer.close();
    assert.equal(await (await answer).text(), "done");
  });
});

Deno.test("an answer of a function is passed on as it comes", () => {
  const gate = Promise.withResolvers<void>();
  return withGateway({
    functions: {
      fetch: () =>
        new Response(
          new ReadableStream({
            async start(controller) {
              controller.enqueue(new TextEncoder().encode("first"));
              await gate.promise;
              controller.enqueue(new TextEncoder().encode("last"));
              controller.close();
            },
          }),
        ),
    },
  }, async (url) => {
    const reader = (await fetch(`${url}/functions/v1/x`)).body!.getReader();
    assert.equal(new TextDecoder().decode((await reader.read()).value), "first");
    gate.resolve();
    assert.equal(new TextDecoder().decode((await reader.read()).value), "last");
    assert.ok((await reader.read()).done);
  });
});

Deno.test("functions answer preflights themselves, storage needs no key at the gateway", () =>
  withGateway({
    functions: { fetch: (request) => new Response(request.method, { status: 418 }) },
    storage: { fetch: (request) => new Response(new URL(request.url).search) },
  }, async (url) => {
    const preflight = await fetch(`${url}/functions/v1/x`, { method: "OPTIONS" });
    assert.equal(preflight.status, 418);
    await preflight.body?.cancel();
    const signed = await fetch(`${url}/storage/v1/object/sign/b/k?token=t`);
    assert.equal(await signed.text(), "?token=t");
    assert.equal(signed.headers.get("access-control-allow-origin"), "*");
  }));

Deno.test("REST answers 502 while PostgREST does not listen", () =>
  withGateway({}, async (url, keys) => {
    const response = await fetch(`${url}/rest/v1/notes`, { headers: { apikey: keys.secret } });
    assert.equal(response.status, 502);
    assert.match((await response.json()).message, /does not answer/);
  }));

Deno.test("a path of no service answers 404 with the services' names", () =>
  withGateway({}, async (url) => {
    for (const path of ["/", "/rest", "/rest/v2/x", "/other/v1/x"]) {
      const response = await fetch(url + path);
      assert.equal(response.status, 404, path);
      assert.match((await response.json()).message, /\/rest\/v1/);
    }
  }));
