/** A {@link FakeService} on a socket: lost answers are broken connections, hangs are hangs. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { FakeService, type FakeServiceOptions } from "./fake_service.ts";

/** Starts one on a free port, or on the one given. */
export async function startHttpService(
  options: FakeServiceOptions = {},
  port = 0,
): Promise<{ service: FakeService; stop(): Promise<void>; port: number }> {
  const started: { service?: FakeService } = {};
  const server: Server = createServer(async (request, response) => {
    const service = started.service!;
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const headers = new Headers();
    for (const [name, value] of Object.entries(request.headers)) headers.set(name, String(value));
    const body = new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
    const url = new URL(request.url!, service.origin);
    const result = await service.handle(request.method!, url, headers, body);
    if (result === "hang") return;
    if (!(result instanceof Response)) return void request.socket.destroy();
    response.writeHead(result.status, Object.fromEntries(result.headers));
    response.end(new Uint8Array(await result.arrayBuffer()));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const { port: got } = server.address() as AddressInfo;
  const service = started.service = new FakeService({
    ...options,
    origin: `http://127.0.0.1:${got}`,
  });
  return {
    service,
    port: got,
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
