import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { request } from "node:http";
import { pageAssets } from "../../shared/console/page_assets.ts";
import { startProxy } from "../../shared/console/proxy.ts";

/** A part of a file, in two pieces. */
function rangeOf(request: Request): Response {
  const pieces = ["PAR", "1".repeat(100_000)].map((text) => new TextEncoder().encode(text));
  return new Response(ReadableStream.from(pieces), {
    status: request.headers.has("range") ? 206 : 200,
    headers: { "content-range": "bytes 0-100002/200000", etag: '"1"' },
  });
}

/** An answer that breaks off. */
function broken(): Response {
  let n = 0;
  return new Response(
    new ReadableStream({
      pull(controller) {
        if (n++ === 0) controller.enqueue(new Uint8Array(10));
        else controller.error(new Error("broken off"));
      },
    }),
  );
}

/** A project that tells what it was asked, and a proxy to it. */
async function world(
  action: (parts: {
    /** A call of the proxy with any headers, which fetch does not allow. */
    ask: (
      method: string,
      path: string,
      headers?: Record<string, string>,
      body?: string,
    ) => Promise<{ status: number; headers: Record<string, unknown>; text: string }>;
    asked: { path: string; headers: Record<string, string>; body: string }[];
    token: string;
    origin: string;
  }) => Promise<void>,
) {
  const asked: { path: string; headers: Record<string, string>; body: string }[] = [];
  await using project = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request) => {
      const url = new URL(request.url);
      asked.push({
        path: url.pathname + url.search,
        headers: Object.fromEntries(request.headers),
        body: await request.text(),
      });
      if (url.pathname.endsWith("/content")) return rangeOf(request);
      if (url.pathname.endsWith("/broken")) return broken();
      return Response.json({ datasets: [] }, {
        headers: { etag: 'W/"1"', "set-cookie": "a=b", "access-control-allow-origin": "*" },
      });
    },
  );
  const proxy = await startProxy({
    assets: pageAssets,
    project: `http://127.0.0.1:${project.addr.port}`,
    credentials: () => Promise.resolve({ apikey: "sb_secret_of_the_test" }),
    userAgent: "sediment-console/test",
  });
  try {
    const { port, host, hash } = new URL(proxy.url);
    await action({
      asked,
      token: hash.replace("#token=", ""),
      origin: `http://${host}`,
      ask: (method, path, headers = {}, body) =>
        new Promise((resolve, reject) => {
          const call = request(
            { method, path, port: Number(port), host: "127.0.0.1", headers: { host, ...headers } },
            (response) => {
              const chunks: Uint8Array[] = [];
              response.on("data", (chunk) => chunks.push(chunk));
              response.on("error", reject);
              response.on("end", () =>
                resolve({
                  status: response.statusCode!,
                  headers: response.headers,
                  text: new TextDecoder().decode(Buffer.concat(chunks)),
                }));
            },
          );
          call.on("error", reject);
          call.end(body);
        }),
    });
  } finally {
    await proxy.close();
  }
}

const datasets = "/functions/v1/compaction/datasets";

Deno.test("who brings the address's token first gets a session, and nobody after", async () => {
  await world(async ({ ask, token, origin, asked }) => {
    const open = (token: string) =>
      ask(
        "POST",
        "/console/open",
        { origin, "content-type": "application/json" },
        JSON.stringify({ token }),
      );
    assert.equal((await ask("GET", "/console")).status, 200, "the page itself is no secret");
    assert.equal((await ask("GET", datasets)).status, 401);
    assert.equal((await open("another")).status, 401);
    const opened = await open(token);
    assert.equal(opened.status, 200);
    const [cookie] = String(opened.headers["set-cookie"]).split(";");
    assert.match(String(opened.headers["set-cookie"]), /HttpOnly; SameSite=Strict/);
    assert.equal((await open(token)).status, 401, "a token opens once");
    assert.equal((await ask("GET", datasets, { cookie: "sediment_console=guessed" })).status, 401);
    assert.equal(asked.length, 0, "nothing has reached the project");
    assert.equal((await ask("GET", datasets, { cookie })).status, 200);
    assert.equal(asked.length, 1);
    // a button of the page calls a worker
    assert.equal((await ask("POST", "/functions/v1/compactor", { cookie, origin })).status, 200);
    assert.equal(asked[1].path, "/functions/v1/compactor");
  });
});

Deno.test("other sites reach nothing by another name, another page or another method", async () => {
  await world(async ({ ask, token, origin, asked }) => {
    const opened = await ask("POST", "/console/open", { origin }, JSON.stringify({ token }));
    const [cookie] = String(opened.headers["set-cookie"]).split(";");
    for (
      const [method, path, headers] of [
        ["GET", datasets, { cookie, host: "evil.example" }],
        ["GET", datasets, { cookie, host: "evil.example:80", origin: "http://evil.example:80" }],
        ["GET", datasets, { cookie, origin: "https://evil.example" }],
        ["GET", datasets, { cookie, "sec-fetch-site": "cross-site" }],
        ["GET", datasets, { cookie, "sec-fetch-site": "same-site" }],
        ["POST", "/functions/v1/compaction", { cookie }],
        ["POST", "/functions/v1/compaction", { cookie, origin: "null" }],
        ["PUT", datasets, { cookie, origin }],
        ["GET", "/functions/v1/compactor", { cookie }],
        ["POST", "/functions/v1/compactor/keys", { cookie, origin }],
        ["GET", "/rest/v1/datasets", { cookie }],
        ["GET", "/auth/v1/admin/users", { cookie }],
        ["GET", "/functions/v1/compaction/../../../rest/v1/datasets", { cookie }],
        ["GET", "/functions/v1/compactionx", { cookie }],
      ] as [string, string, Record<string, string>][]
    ) {
      const { status } = await ask(method, path, headers);
      assert.ok(
        status >= 400 && status < 500,
        `${method} ${path} ${JSON.stringify(headers)}: ${status}`,
      );
    }
    assert.deepEqual(asked, []);
  });
});

Deno.test("the project sees the key and the proxy's name, and nothing of the browser", async () => {
  await world(async ({ ask, token, origin, asked }) => {
    const opened = await ask("POST", "/console/open", { origin }, JSON.stringify({ token }));
    const [cookie] = String(opened.headers["set-cookie"]).split(";");
    const answer = await ask("POST", "/functions/v1/compaction", {
      cookie,
      origin,
      "content-type": "application/json",
      "user-agent": "Mozilla/5.0",
      authorization: "Bearer of the page",
      apikey: "of the page",
      "x-sediment-user": "somebody",
    }, '{"dataset_id": "x"}');
    assert.equal(answer.status, 200);
    const [{ path, headers, body }] = asked;
    assert.equal(path, "/functions/v1/compaction");
    assert.equal(body, '{"dataset_id": "x"}');
    assert.equal(headers.apikey, "sb_secret_of_the_test");
    assert.equal(headers["user-agent"], "sediment-console/test");
    for (const name of ["cookie", "origin", "authorization", "x-sediment-user", "referer"]) {
      assert.equal(headers[name], undefined, name);
    }
    // nor does the page see more than the answer
    assert.equal(answer.headers.etag, 'W/"1"');
    assert.equal(answer.headers["set-cookie"], undefined);
    assert.equal(answer.headers["access-control-allow-origin"], undefined);
    assert.doesNotMatch(JSON.stringify(answer), /sb_secret/);
  });
});

Deno.test("bytes of files come in their ranges, as they are, and half an answer is not taken for a whole one", async () => {
  await world(async ({ ask, token, origin, asked }) => {
    const opened = await ask("POST", "/console/open", { origin }, JSON.stringify({ token }));
    const [cookie] = String(opened.headers["set-cookie"]).split(";");
    const content = "/functions/v1/battle-data/files/7/content";
    const answer = await ask("GET", content, { cookie, range: "bytes=0-100002" });
    assert.equal(answer.status, 206);
    assert.equal(answer.headers["content-range"], "bytes 0-100002/200000");
    assert.equal(answer.text.length, 100_003);
    assert.equal(asked[0].headers.range, "bytes=0-100002");
    await assert.rejects(ask("GET", "/functions/v1/battle-data/broken", { cookie }));
    // the next one is answered all the same
    assert.equal(
      (await ask("PATCH", "/functions/v1/compaction/settings", { cookie, origin }, "{}")).status,
      200,
    );
  });
});
