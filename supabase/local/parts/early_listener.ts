/** A TCP port that lets clients in once the server behind it is there. */
export interface EarlyListener {
  port: number;
  /** From now on connections, also those that wait, go to this port of 127.0.0.1. */
  open(port: number): void;
  /** Takes no more connections and ends those that wait. */
  close(): void;
}

export function startEarlyListener(): EarlyListener {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const server = Promise.withResolvers<number>();
  server.promise.catch(() => {});

  const lead = async (client: Deno.TcpConn) => {
    try {
      const behind = await Deno.connect({ hostname: "127.0.0.1", port: await server.promise });
      await Promise.allSettled([
        client.readable.pipeTo(behind.writable),
        behind.readable.pipeTo(client.writable),
      ]);
    } catch {
      client.close();
    }
  };
  (async () => {
    for await (const client of listener) lead(client);
  })().catch(() => {}); // the listener was closed
  return {
    port: listener.addr.port,
    open: (port) => server.resolve(port),
    close() {
      server.reject(new Error("closed"));
      listener.close();
    },
  };
}
