/**
 * Whether a client can fetch what the functions hand out, wherever they are deployed: the real bundles in a process
 * like an isolate, behind gateways that are reachable only by the names that clients know.
 */
import { strict as assert } from "node:assert";
import { fileURLToPath } from "node:url";
import { type Bundle, bundleFunction } from "../../supabase/deploy/bundle.ts";
import { type Stack, startStack } from "../../supabase/local/stack.ts";
import { sha256 } from "../support/client.ts";
import { signUp } from "../support/stack.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";
import { createS3Double } from "../storage/s3_double.ts";
import { startIsolate } from "./start_isolate.ts";

/** A way to deploy. */
interface Deployment {
  name: string;
  /** Beside the keys. */
  env: Record<string, string>;
  /** `EdgeRuntime` is there, the bundles run and the gateway strips `/functions/v1`; else it is `functions/main.ts`. */
  edge: boolean;
  /** The headers that the platform's gateway adds. */
  forwarded?: Record<string, string>;
  /** Where the client calls the functions. */
  calls: string;
  /** Origins that clients know: those of the functions, and those of the project's gateway. */
  functionsAt: string[];
  projectAt: string[];
  /** What the URLs must begin with. */
  functions: string;
  storage: string;
}

const s3Test = "https://s3.test";
const hosted = "https://abcdefghijklmnopqrst.supabase.co";
const s3Endpoint = "https://s3.example.com";
const edgeHeaders = {
  "x-forwarded-host": "edge-runtime.supabase.com",
  "x-forwarded-proto": "https",
  "x-forwarded-port": "443",
};

const deployments: Deployment[] = [
  {
    name: "hosted, whose isolates see edge-runtime.supabase.com",
    env: { SUPABASE_URL: hosted },
    edge: true,
    forwarded: edgeHeaders,
    calls: `${hosted}/functions/v1`,
    functionsAt: [hosted],
    projectAt: [hosted],
    functions: `${hosted}/functions/v1/`,
    storage: `${hosted}/storage/v1/`,
  },
  {
    name: "hosted without forwarded headers",
    env: { SUPABASE_URL: hosted },
    edge: true,
    calls: `${hosted}/functions/v1`,
    functionsAt: [hosted],
    projectAt: [hosted],
    functions: `${hosted}/functions/v1/`,
    storage: `${hosted}/storage/v1/`,
  },
  {
    name: "hosted with a domain of its own for the functions",
    env: { SUPABASE_URL: hosted, PUBLIC_URL: "https://api.example.com" },
    edge: true,
    forwarded: edgeHeaders,
    calls: "https://api.example.com/functions/v1",
    functionsAt: ["https://api.example.com"],
    projectAt: [hosted],
    functions: "https://api.example.com/functions/v1/",
    storage: `${hosted}/storage/v1/`,
  },
  {
    name: "self-hosted, with SUPABASE_PUBLIC_URL and a gateway that tells its inner name",
    env: { SUPABASE_URL: "http://kong:8000", SUPABASE_PUBLIC_URL: "https://supabase.example.com/" },
    edge: true,
    forwarded: { "x-forwarded-host": "kong", "x-forwarded-proto": "http" },
    calls: "https://supabase.example.com/functions/v1",
    functionsAt: ["https://supabase.example.com"],
    projectAt: ["https://supabase.example.com"],
    functions: "https://supabase.example.com/functions/v1/",
    storage: "https://supabase.example.com/storage/v1/",
  },
  {
    name: "the CLI's stack, whose gateway forwards host and port",
    env: { SUPABASE_URL: "http://kong:8000" },
    edge: true,
    forwarded: {
      "x-forwarded-host": "127.0.0.1",
      "x-forwarded-port": "54321",
      "x-forwarded-proto": "http",
    },
    calls: "http://127.0.0.1:54321/functions/v1",
    functionsAt: ["http://127.0.0.1:54321"],
    projectAt: ["http://127.0.0.1:54321"],
    functions: "http://127.0.0.1:54321/functions/v1/",
    storage: "http://127.0.0.1:54321/storage/v1/",
  },
  {
    name: "an isolate behind nothing, with Storage at a name of its own",
    env: {
      SUPABASE_URL: "http://kong:8000",
      SEDIMENT_STORAGE_PUBLIC_URL: "https://files.example.com/s",
    },
    edge: true,
    calls: "http://10.0.0.7:9000",
    functionsAt: ["http://10.0.0.7:9000"],
    projectAt: ["https://files.example.com"],
    functions: "http://10.0.0.7:9000/",
    storage: "https://files.example.com/s/",
  },
  {
    name: "hosted with the bytes in an S3, whose presigned URLs are nobody's to move",
    env: {
      SUPABASE_URL: hosted,
      SEDIMENT_STORAGE_PUBLIC_URL: "https://files.example.com",
      SEDIMENT_STORE: "s3",
      SEDIMENT_BUCKET: "b",
      SEDIMENT_S3_ENDPOINT: s3Endpoint,
      SEDIMENT_S3_ACCESS_KEY_ID: "id",
      SEDIMENT_S3_SECRET_ACCESS_KEY: "secret",
    },
    edge: true,
    forwarded: edgeHeaders,
    calls: `${hosted}/functions/v1`,
    functionsAt: [hosted],
    projectAt: [],
    functions: `${hosted}/functions/v1/`,
    storage: `${s3Endpoint}/b/`,
  },
  {
    name: "Deno Deploy with the README's four variables",
    env: { SUPABASE_URL: hosted, PUBLIC_URL: "https://sediment.deno.dev" },
    edge: false,
    calls: "https://sediment.deno.dev/functions/v1",
    functionsAt: ["https://sediment.deno.dev"],
    projectAt: [hosted],
    functions: "https://sediment.deno.dev/functions/v1/",
    storage: `${hosted}/storage/v1/`,
  },
  {
    name: "a server of one's own without PUBLIC_URL, called at its own name",
    env: { SUPABASE_URL: hosted },
    edge: false,
    calls: "http://sediment.example.com:8080",
    functionsAt: ["http://sediment.example.com:8080"],
    projectAt: [hosted],
    functions: "http://sediment.example.com:8080/",
    storage: `${hosted}/storage/v1/`,
  },
];

/** Hosted isolates have its API. */
const deno21 = { program: "npx", args: ["-y", "deno@2.1.14"] };

Deno.test("what the functions hand out can be fetched, wherever they are deployed", async (t) => {
  await using stack = await startStack({ functions: false, cron: false });
  const folder = await Deno.makeTempDir({ prefix: "sediment-urls-" });
  const double = createS3Double();
  const s3 = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    // The double looks at paths below https://s3.test.
    (request) =>
      double.fetch(s3Test + request.url.slice(new URL(request.url).origin.length), request),
  );
  const s3Url = `http://127.0.0.1:${s3.addr.port}`;
  try {
    const bundles: Bundle[] = [];
    for (const name of ["battle-data", "asset-sync"]) {
      bundles.push(await bundleFunction(name, folder));
    }
    const main = fileURLToPath(new URL("../../functions/main.ts", import.meta.url));
    for (const deployment of deployments) {
      for (const deno of deployment === deployments[0] ? [undefined, deno21] : [undefined]) {
        await t.step(`${deployment.name}${deno ? ", on Deno 2.1" : ""}`, async () => {
          const { SUPABASE_URL } = deployment.env;
          await using isolate = await startIsolate({
            modules: deployment.edge ? bundles : [{ name: "main", path: main }],
            env: {
              ...deployment.env,
              SUPABASE_SECRET_KEYS: stack.functionsEnv.SUPABASE_SECRET_KEYS,
              SUPABASE_PUBLISHABLE_KEYS: stack.functionsEnv.SUPABASE_PUBLISHABLE_KEYS,
              // Auth here calls itself by the stack's own address.
              SEDIMENT_JWT_ISSUERS: `${stack.url}/auth/v1`,
            },
            edge: deployment.edge,
            hosts: { [SUPABASE_URL]: stack.url, [s3Endpoint]: s3Url },
          }, deno);
          const fetch = internet(deployment, isolate.url, stack.url, s3Url);
          await tryEverything(stack, deployment, fetch);
        });
      }
    }
  } finally {
    await s3.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
});

type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

/** `fetch` for a client who knows the deployment's public names and no others. */
function internet(
  deployment: Deployment,
  isolateUrl: string,
  stackUrl: string,
  s3Url: string,
): Fetch {
  return async (text, init) => {
    const url = new URL(text);
    const rest = (text: string) => text + url.search;
    if (deployment.functionsAt.includes(url.origin) && !/^\/(storage|auth)\//.test(url.pathname)) {
      // The address of the request is the public one: the runtime tells it so by Host.
      const path = deployment.edge
        ? url.pathname.replace(/^\/functions\/v1(?=\/)/, "")
        : url.pathname;
      return await send(isolateUrl, rest(path), {
        ...init,
        headers: { ...init?.headers as Record<string, string>, ...deployment.forwarded },
      }, url.host);
    }
    if (url.origin === s3Endpoint) return await fetch(s3Url + rest(url.pathname), init);
    if (deployment.projectAt.includes(url.origin)) {
      return await fetch(stackUrl + rest(url.pathname.replace(/^\/s\//, "/storage/v1/")), init);
    }
    throw new Error(`no client knows ${url.origin}`);
  };
}

/** Sends a request with a Host that isn't the address, which fetch can't. */
async function send(
  to: string,
  path: string,
  init: RequestInit,
  host: string,
): Promise<Response> {
  const { hostname, port } = new URL(to);
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const { request } = await import("node:http");
  const headers = { ...init.headers as Record<string, string>, host };
  const call = request(
    { hostname, port, path, method: init.method ?? "GET", headers },
    (answer) => {
      const chunks: Uint8Array<ArrayBuffer>[] = [];
      answer.on("data", (chunk) => chunks.push(new Uint8Array(chunk)));
      answer.on("end", () =>
        resolve(
          new Response(answer.statusCode === 204 ? null : new Blob(chunks), {
            status: answer.statusCode,
            headers: answer.headers as Record<string, string>,
          }),
        ));
      answer.on("error", reject);
    },
  );
  call.on("error", reject);
  call.end(init.body ?? undefined);
  return await promise;
}

/** Every kind of URL that is handed out, each one fetched. */
async function tryEverything(stack: Stack, deployment: Deployment, fetch: Fetch): Promise<void> {
  const user = await signUp(stack);
  const authorization = `Bearer ${user.token}`;
  const ask = async (path: string, json?: unknown) => {
    const response = await fetch(deployment.calls + path, {
      method: json === undefined ? "GET" : "POST",
      headers: { authorization, ...(json ? { "content-type": "application/json" } : {}) },
      body: json === undefined ? undefined : JSON.stringify(json),
    });
    assert.ok(response.ok, `${path}: ${response.status} ${await response.clone().text()}`);
    return await response.json();
  };
  const put = async (url: string, body: Uint8Array<ArrayBuffer>) => {
    const response = await fetch(url, { method: "PUT", body: body as BodyInit });
    assert.ok(response.ok, `${url}: ${response.status} ${await response.text()}`);
  };
  const dataset_id = crypto.randomUUID();
  const plan = (table: string, file: Uint8Array) => ({
    ...{ dataset_id, table, period_tag: "0", file_size: file.length, content_hash: sha256(file) },
  });

  const first = tinyParquet([1, 2, 3]);
  const inTwo = await ask("/battle-data/upload", plan("two", first));
  starts(inTwo.uploadUrl, deployment.functions);
  await put(inTwo.uploadUrl, first);

  const second = tinyParquet([4, 5, 6]);
  const direct = await ask("/battle-data/upload?direct=1", plan("direct", second));
  starts(direct.uploadUrl, deployment.storage);
  starts(direct.completeUrl, deployment.functions);
  await put(direct.uploadUrl, second);
  const completed = await fetch(direct.completeUrl, { method: "POST", headers: { authorization } });
  assert.equal(completed.status, 200, await completed.text());

  const [left, right] = [tinyParquet([7]), tinyParquet([8])];
  const both = new Uint8Array([...left, ...right]);
  const slices = [[0, left.length], [left.length, right.length]];
  const sliced = await ask("/battle-data/upload", {
    ...plan("left", both),
    table_offsets: slices.map(([start_byte, byte_length], i) => ({
      ...{ table_name: ["left", "right"][i], start_byte, byte_length, format: "parquet" },
    })),
  });
  await put(sliced.uploadUrl, both);

  const { files } = await ask(`/battle-data/latest?dataset_id=${dataset_id}`);
  const contents: Record<string, Uint8Array> = { two: first, direct: second, left, right };
  assert.deepEqual(files.map((file: { table: string }) => file.table).sort(), [
    ..."direct left right two".split(" "),
  ]);
  for (const { table, url } of files as { table: string; url: string }[]) {
    const isSlice = table === "left" || table === "right";
    starts(url, isSlice ? deployment.functions : deployment.storage);
    const range = await fetch(url, { headers: { range: "bytes=0-3" } });
    assert.equal(range.status, 206, url);
    assert.equal(await range.text(), "PAR1", url);
    const whole = await fetch(url);
    assert.deepEqual(new Uint8Array(await whole.arrayBuffer()), contents[table], url);
  }

  const asset = new TextEncoder().encode("an asset");
  const planned = await ask("/asset-sync/upload", {
    ...{ key: "a/b.png", relative_path: "a/b.png", file_name: "b.png" },
    ...{ file_size: asset.length, content_hash: sha256(asset) },
  });
  starts(planned.uploadUrl, deployment.functions);
  await put(planned.uploadUrl, asset);
  const { url } = await ask("/asset-sync/url?key=a/b.png");
  starts(url, deployment.storage);
  assert.equal(await (await fetch(url)).text(), "an asset");
}

function starts(url: string, base: string): void {
  assert.ok(url.startsWith(base), `${url} does not begin with ${base}`);
}
