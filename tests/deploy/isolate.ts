/**
 * A program: bundles as an isolate of edge-runtime has them. Reads one line of JSON from stdin, prints its port, and
 * ends when stdin does. Runs on Deno 2.1 too, with the API that hosted isolates have.
 */

/** What the program is told. */
export interface IsolateOrder {
  /** Files to import, each of which calls Deno.serve; or one that exports `createApp`. */
  modules: { name: string; path: string }[];
  /** The functions' environment, whole. */
  env: Record<string, string>;
  /** Whether `EdgeRuntime` is there, as in an isolate. */
  edge: boolean;
  /** Where requests to an origin really go. */
  hosts: Record<string, string>;
}

type Handler = (request: Request) => Response | Promise<Response>;

if (import.meta.main) {
  const line = await firstLine();
  const { modules, env, edge, hosts } = JSON.parse(line) as IsolateOrder;
  for (const name of Object.keys(Deno.env.toObject())) {
    if (!/^(HOME|PATH|DENO_\w+)$/.test(name)) Deno.env.delete(name);
  }
  for (const [name, value] of Object.entries(env)) Deno.env.set(name, value);
  if (edge) {
    Object.assign(globalThis, {
      EdgeRuntime: { waitUntil: (work: Promise<unknown>) => void work },
    });
  }
  const realFetch = globalThis.fetch;
  globalThis.fetch = (input, init) => {
    const request = new Request(input, init);
    const { origin } = new URL(request.url);
    const target = hosts[origin];
    if (target === undefined) return realFetch(request);
    return realFetch(new Request(target + request.url.slice(origin.length), request));
  };
  const serve = Deno.serve;
  const handlers = new Map<string, Handler>();
  for (const { name, path } of modules) {
    Object.assign(Deno, { serve: (handler: Handler) => handlers.set(name, handler) });
    const { createApp } = await import(path);
    if (createApp !== undefined) {
      const app = createApp(Deno.env.toObject());
      handlers.set(name, (request) => app.fetch(request));
    }
  }
  const only = handlers.size === 1 ? [...handlers.values()][0] : undefined;
  serve(
    { hostname: "127.0.0.1", port: 0, onListen: ({ port }) => console.log(port) },
    (request) => {
      const { pathname } = new URL(request.url);
      const [, name = ""] = /^(?:\/functions\/v1)?\/([^/]+)/.exec(pathname) ?? [];
      return (handlers.get(name) ?? only)?.(request) ??
        new Response("no such function", { status: 404 });
    },
  );
}

/** The order; what comes after it, the end, ends the process. */
async function firstLine(): Promise<string> {
  const reader = Deno.stdin.readable.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { done, value } = await reader.read();
    if (done) Deno.exit(0);
    text += value;
  }
  (async () => {
    while (!(await reader.read()).done);
    Deno.exit(0);
  })();
  return text.slice(0, text.indexOf("\n"));
}
