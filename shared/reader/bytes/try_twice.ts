import { SedimentError } from "../../errors.ts";

/** Waits longer than this are not waited out: the error is told. */
const longestWait = 10_000;

/**
 * Does something, and once more when it failed in a way that may pass: an error whose code can be retried, after the
 * wait that it asks for.
 * @param pauseMs the wait where nothing is asked for
 */
export async function tryTwice<T>(
  signal: AbortSignal | undefined,
  pauseMs: number,
  once: () => Promise<T>,
): Promise<T> {
  try {
    return await once();
  } catch (thrown) {
    if (signal?.aborted) throw signal.reason;
    if (!(thrown instanceof SedimentError) || !thrown.retryable) throw thrown;
    const asked = (thrown.retryAfterSeconds ?? 0) * 1000;
    if (asked > longestWait) throw thrown;
    await pause(Math.max(asked, pauseMs), signal);
    return await once();
  }
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
