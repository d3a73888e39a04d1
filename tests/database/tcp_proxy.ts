/** A network between a client and PostgreSQL that tests break. */

/** What becomes of connections and of what they carry. */
export type ProxyMode =
  | "forward"
  /** Takes everything and passes on nothing, of connections that are there as well. */
  | "silent"
  /** Takes a connection and closes it at once, as a balancer without a server behind it. */
  | "hang up";

export interface TcpProxy extends AsyncDisposable {
  port: number;
  mode: ProxyMode;
  /** Connections that were taken since the start. */
  taken: number;
  /** Connections whose client has not closed them. */
  open: number;
}

/** Forwards to a port of 127.0.0.1. */
export function startTcpProxy(target: number): TcpProxy {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const sockets = new Set<Deno.Conn>();
  const pairs = new Set<Promise<void>>();

  const close = (socket: Deno.Conn) => {
    if (sockets.delete(socket)) socket.close();
  };
  async function copy(from: Deno.Conn, to: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      while (true) {
        const count = await from.read(buffer);
        if (count === null) return;
        if (proxy.mode === "silent") continue;
        for (let at = 0; at < count;) at += await to.write(buffer.subarray(at, count));
      }
    } catch {
      // It was closed, here or there.
    }
  }
  async function join(client: Deno.Conn): Promise<void> {
    const server = await Deno.connect({ hostname: "127.0.0.1", port: target }).catch(() => null);
    if (server === null) {
      proxy.open--;
      return close(client);
    }
    sockets.add(server);
    const answers = copy(server, client).then(() => close(client));
    await copy(client, server);
    proxy.open--;
    close(client);
    close(server);
    await answers;
  }
  async function accept(): Promise<void> {
    for await (const client of listener) {
      proxy.taken++;
      if (proxy.mode === "hang up") client.close();
      else {
        proxy.open++;
        sockets.add(client);
        const pair = join(client);
        pairs.add(pair);
        void pair.then(() => pairs.delete(pair));
      }
    }
  }

  const proxy: TcpProxy = {
    port: listener.addr.port,
    mode: "forward",
    taken: 0,
    open: 0,
    async [Symbol.asyncDispose]() {
      listener.close();
      sockets.forEach(close);
      await accepting;
      await Promise.all(pairs);
    },
  };
  const accepting = accept();
  return proxy;
}

/** The same URL by way of a proxy. */
export function through(proxy: { port: number }, url: string): string {
  const changed = new URL(url);
  changed.port = String(proxy.port);
  return changed.href;
}
