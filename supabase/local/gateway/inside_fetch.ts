/**
 * A `fetch` for code that runs in the stack's own process: a POST to the stack goes to the gateway's handler
 * without a socket. Keys, tokens, routes and answers are those of a request from outside. Everything else,
 * streams among it, goes by the socket: there the runtime's own rules for broken connections hold.
 */
export type Handler = (request: Request) => Promise<Response>;

/**
 * @param origin the gateway's URL, without a path
 * @param handler the gateway
 */
export function createInsideFetch(origin: string, handler: Handler): typeof fetch {
  return async (input, init) => {
    const body = init?.body;
    const held = typeof body === "string" || body instanceof Uint8Array;
    const url = input instanceof Request ? undefined : String(input);
    if (!held || init?.method !== "POST" || !url?.startsWith(`${origin}/`)) {
      return await fetch(input, init);
    }
    const { signal, headers: given, method } = init;
    signal?.throwIfAborted();
    const headers = new Headers(given);
    if (!headers.has("content-length")) {
      // As fetch says it: what is behind counts what comes.
      const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
      headers.set("content-length", String(bytes.byteLength));
    }
    const answer = answerOf(handler, new Request(url, { method, headers, body }));
    return await (signal ? unlessAborted(answer, signal) : answer);
  };
}

/** What the gateway's socket would have answered. */
async function answerOf(handler: Handler, request: Request): Promise<Response> {
  try {
    return await handler(request);
  } catch (error) {
    console.error("gateway:", error);
    return Response.json({ message: "the gateway failed" }, { status: 500 });
  }
}

/** Stops waiting, as a client that closes its connection; what was begun behind the gateway goes on. */
async function unlessAborted(answer: Promise<Response>, signal: AbortSignal): Promise<Response> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([answer, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
