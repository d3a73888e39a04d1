/**
 * postgres.js, with the globals of Node that it takes for granted. Deno 2.1 gives them to npm packages only and not
 * to a bundle, which is what runs hosted. Its clearImmediate, too, does not stop what is due in the same turn: the
 * driver would write to a socket that has gone, where nobody can catch it, and the isolate would end.
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { setImmediate } from "node:timers";

/** The driver's function that opens a client. */
export async function loadDriver(): Promise<typeof import("postgres")> {
  const globals: Record<string, unknown> = globalThis;
  globals.Buffer ??= Buffer;
  globals.process ??= process;
  if (globals.setImmediate === undefined) {
    globals.setImmediate = setClearableImmediate;
    globals.clearImmediate = clear;
  }
  return (await import("postgres")).default;
}

interface Handle {
  cleared: boolean;
}

function setClearableImmediate<A extends unknown[]>(work: (...args: A) => void, ...args: A) {
  const handle: Handle = { cleared: false };
  setImmediate(() => {
    if (!handle.cleared) work(...args);
  });
  return handle;
}

function clear(handle?: Handle | null): void {
  if (handle) handle.cleared = true;
}
