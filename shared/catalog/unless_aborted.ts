/** Calls of the catalog whose caller stops waiting. */
import { SedimentError } from "../errors.ts";

/** The error of a call whose signal has aborted. */
export function abortedCall(functionName: string, signal: AbortSignal): SedimentError {
  return new SedimentError("aborted", `${functionName} was stopped`, { cause: signal.reason });
}

/**
 * Stops waiting when the signal aborts. The server is not asked to cancel: its word for that names a connection and
 * no query, so it may hit another's; and the driver leaves its failure to nobody.
 *
 * @throws SedimentError `aborted`; what the work throws
 */
export async function unlessAborted<T>(
  functionName: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  if (signal === undefined) return await work();
  if (signal.aborted) throw abortedCall(functionName, signal);
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(abortedCall(functionName, signal));
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([work(), promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
