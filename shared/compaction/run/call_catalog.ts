/** Calls of the catalog that end: a connection that died in silence must not hold a worker until its isolate ends. */
import { asSedimentError, SedimentError } from "../../errors.ts";
import { atPart } from "./failure_class.ts";

/** Milliseconds for an answer. The catalog itself gives a statement up long before (8 s where it is hosted). */
const answerMs = 30_000;

/**
 * Makes a call.
 *
 * @param signal stops it: `aborted`
 * @throws SedimentError `catalog_failed` when no answer came, which a step tries again; what the call throws
 */
export async function callCatalog<T>(
  signal: AbortSignal,
  call: (options: { signal: AbortSignal }) => Promise<T>,
  timeoutMs = answerMs,
): Promise<T> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), timeoutMs);
  try {
    return await call({ signal: AbortSignal.any([signal, timeout.signal]) });
  } catch (thrown) {
    if (!timeout.signal.aborted || signal.aborted) {
      throw atPart(asSedimentError(thrown), "catalog");
    }
    throw new SedimentError("catalog_failed", `The catalog gave no answer in ${timeoutMs} ms`, {
      cause: thrown,
    });
  } finally {
    clearTimeout(timer);
  }
}
