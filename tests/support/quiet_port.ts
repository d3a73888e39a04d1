/** Ports for servers that are not there yet, or go away and come back. */

/**
 * A port of 127.0.0.1 that nobody listens on. It is none of those that systems give to whoever asks for any (Linux: 32768 to
 * 60999; others from 49152), so that no other test has it before its own server does.
 */
export function quietPort(): number {
  while (true) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
