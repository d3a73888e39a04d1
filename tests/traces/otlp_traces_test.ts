import { strict as assert } from "node:assert";
import { createHttpApp, type HttpApp } from "../../shared/http/http_app.ts";
import { createTraces } from "../../shared/traces/otlp_traces.ts";

// deno-lint-ignore no-explicit-any -- what a collector would get
type Got = { path: string; key: string | null; body: any };

/** A collector's stand-in, and an app whose requests are told to it. */
async function world(
  answer: () => Response | Promise<Response>,
  action: (parts: {
    get: (path: string, headers?: Record<string, string>) => Promise<Response>;
    got: Got[];
    sent: Promise<void>[];
    app: HttpApp;
  }) => Promise<void>,
) {
  const got: Got[] = [];
  await using collector = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request) => {
      got.push({
        path: new URL(request.url).pathname,
        key: request.headers.get("x-key"),
        body: await request.json(),
      });
      return await answer();
    },
  );
  const traces = createTraces({
    endpoint: `http://127.0.0.1:${collector.addr.port}/`,
    headers: { "x-key": "of the collector" },
    version: "0.0.1",
  });
  const sent: Promise<void>[] = [];
  const app = createHttpApp("compaction", { traced: (span) => void sent.push(traces(span)) });
  app.get("/status/:id", (c) => c.text("ok"));
  app.get("/broken", () => {
    throw new Error("broken");
  });
  await action({
    app,
    get: (path, headers) => Promise.resolve(app.request(path, { headers })),
    got,
    sent,
  });
}

const id = "7e57d004-2b97-4e7a-b45f-5387367791cd";

Deno.test("a collector gets a span of each request, in its caller's trace, and none of its tokens", async () => {
  await world(() => Response.json({}), async ({ get, got, sent }) => {
    const trace = "0af7651916cd43dd8448eb211c80319c", parent = "b7ad6b7169203331";
    const response = await get(`/functions/v1/compaction/status/${id}?token=secret`, {
      traceparent: `00-${trace}-${parent}-01`,
      "x-request-id": "request-7",
    });
    assert.equal(await response.text(), "ok");
    await Promise.all(sent);
    const [{ path, key, body }] = got;
    assert.deepEqual([path, key], ["/v1/traces", "of the collector"]);
    const [span] = body.resourceSpans[0].scopeSpans[0].spans;
    assert.deepEqual([span.traceId, span.parentSpanId, span.kind], [trace, parent, 2]);
    assert.match(span.spanId, /^[0-9a-f]{16}$/);
    assert.equal(span.name, "GET /compaction/status/:id");
    assert.ok(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano));
    const values = new Map(
      span.attributes.map((
        { key, value }: { key: string; value: { stringValue?: string; intValue?: string } },
      ) => [key, value.stringValue ?? value.intValue]),
    );
    assert.equal(values.get("http.response.status_code"), "200");
    assert.doesNotMatch(JSON.stringify(body), /secret/);
  });
});

Deno.test("a request without a trace begins one, and a failed one is marked", async () => {
  await world(() => Response.json({}), async ({ get, got, sent }) => {
    await (await get("/compaction/broken", { traceparent: "00-0-0-00" })).body?.cancel();
    await Promise.all(sent);
    const [span] = got[0].body.resourceSpans[0].scopeSpans[0].spans;
    assert.match(span.traceId, /^(?!0{32})[0-9a-f]{32}$/);
    assert.equal(span.parentSpanId, undefined);
    assert.deepEqual(span.status, { code: 2 });
  });
});

Deno.test("neither names in a path, nor paths and methods that nobody answers, are names of spans", async () => {
  await world(() => Response.json({}), async ({ get, got, sent, app }) => {
    for (
      const path of ["/compaction/status/of%20mine", "/compaction/anything/else", "/compaction"]
    ) {
      await (await get(path)).body?.cancel();
    }
    await (await app.request("/compaction/broken", { method: "BREW" })).body?.cancel();
    await Promise.all(sent);
    const spans = got.map(({ body }) => body.resourceSpans[0].scopeSpans[0].spans[0].name);
    assert.deepEqual(spans.sort(), ["GET", "GET", "GET /compaction/status/:id", "HTTP"]);
    assert.doesNotMatch(JSON.stringify(got), /mine|anything|BREW/);
  });
});

Deno.test("a collector that refuses, stalls or is not there costs no answer, and its span is dropped", async () => {
  const stalled = Promise.withResolvers<Response>();
  await world(() => stalled.promise, async ({ get, sent }) => {
    const response = await get(`/compaction/status/${id}`);
    assert.equal(await response.text(), "ok", "while the collector still holds the span");
    // the deadline ends it
    await Promise.all(sent);
    stalled.resolve(new Response());
  });
  await world(() => new Response("no", { status: 500 }), async ({ get, sent }) => {
    assert.equal(await (await get(`/compaction/status/${id}`)).text(), "ok");
    await Promise.all(sent);
  });
  const nowhere = createTraces({ endpoint: "http://127.0.0.1:9", version: "0.0.1" });
  await nowhere({
    name: "compaction",
    method: "GET",
    route: null,
    status: 200,
    requestId: "r",
    traceparent: null,
    begunAt: 0,
    ms: 1,
  });
});
