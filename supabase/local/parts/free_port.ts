/**
 * A TCP port on 127.0.0.1 that nobody holds at this moment. It may be gone when it is used: callers that
 * can't be given a listening socket try again.
 *
 * @param preferred taken when it is free
 */
export function freePort(preferred?: number): number {
  for (const port of preferred ? [preferred, 0] : [0]) {
    try {
      using listener = Deno.listen({ hostname: "127.0.0.1", port });
      return listener.addr.port;
    } catch (error) {
      if (port === 0) throw error;
    }
  }
  throw new Error("unreachable");
}
