import { stackError } from "../parts/stack_error.ts";

/** The gateway's socket: held from the first moment, answering 503 until the services are there. */
export interface Front extends AsyncDisposable {
  url: string;
  port: number;
  serve(handler: (request: Request) => Promise<Response>): void;
}

/**
 * Takes the port.
 *
 * @param port 0: any free one
 * @throws port_taken with the line that takes another
 */
export function listen(port: number): Front {
  let handler = (_request: Request): Promise<Response> =>
    Promise.resolve(Response.json({ message: "the stack is starting" }, {
      status: 503,
      headers: { "retry-after": "1" },
    }));
  const server = serve();
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    port: server.addr.port,
    serve(next) {
      handler = next;
    },
    async [Symbol.asyncDispose]() {
      // Requests under way may finish, within reason. No abort after that: Deno.serve's own listener
      // throws BadResource, uncaught, when the shutdown has closed the socket in the meantime.
      let cut: ReturnType<typeof setTimeout> | undefined;
      const patience = new Promise((resolve) => cut = setTimeout(resolve, 2_000));
      await Promise.race([server.shutdown().then(() => server.finished), patience]);
      clearTimeout(cut);
    },
  };

  function serve() {
    try {
      return Deno.serve({
        hostname: "127.0.0.1",
        port,
        onListen: () => {},
        onError: (error) => {
          console.error("gateway:", error);
          return Response.json({ message: "the gateway failed" }, { status: 500 });
        },
      }, (request) => handler(request));
    } catch (cause) {
      if (!(cause instanceof Deno.errors.AddrInUse)) throw cause;
      throw stackError(
        "port_taken",
        `Port ${port} is taken by another process.`,
        `Run: deno task start --port ${port + 10}    or --port 0 for any free one`,
        cause,
      );
    }
  }
}
