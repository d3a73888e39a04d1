/**
 * postgres.js 3.4.9 writes in a setImmediate, so a write to a connection whose server was killed throws where
 * nobody can catch it, and Deno ends. The query itself is rejected by the driver as well; this keeps the
 * process alive to say which part has ended. Counted, so that each stack can take it and give it back.
 */
let users = 0;

/** Swallows that error, and the reset of a connection whose server was killed, until it is disposed. */
export function swallowDriverWrites(): Disposable {
  if (users++ === 0) {
    globalThis.addEventListener("error", onError);
    globalThis.addEventListener("unhandledrejection", onRejection);
  }
  return {
    [Symbol.dispose]() {
      if (--users > 0) return;
      globalThis.removeEventListener("error", onError);
      globalThis.removeEventListener("unhandledrejection", onRejection);
    },
  };
}

function onError(event: ErrorEvent): void {
  if (isDriverWrite(event.error)) event.preventDefault();
}

function onRejection(event: PromiseRejectionEvent): void {
  if (isDriverWrite(event.reason)) event.preventDefault();
}

/** The codes with which the driver, or its socket, tells that the server is gone; its queries fail by themselves. */
const goneCodes = new Set(["CONNECTION_CLOSED", "CONNECTION_DESTROYED", "ECONNRESET", "EPIPE"]);

function isDriverWrite(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return goneCodes.has((error as { code?: string }).code ?? "") ||
    /nextWrite .*postgres\/src\/connection\.js/.test(error.stack ?? "");
}
