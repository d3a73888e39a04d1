/** The port to time and chance. The simulation puts a virtual clock and a seeded source here. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. It may jump. */
  now(): number;
  /** Milliseconds that only grow, from an arbitrary start. */
  monotonic(): number;
  /** Waits; ends early, without an error, when the signal fires. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** A number in [0, 1). */
  random(): number;
}

// setTimeout takes a signed 32-bit count; above it fires at once.
const longestTimer = 2 ** 31 - 1;

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: () => Math.random(),
  sleep(milliseconds, signal) {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const timer = setTimeout(done, Math.min(Math.max(0, milliseconds), longestTimer));
      function done() {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      }
      signal?.addEventListener("abort", done, { once: true });
    });
  },
};

/**
 * A signal that fires after `milliseconds` of the given clock, or when `parent` does. `done()` must be
 * called when the work has ended, so that no timer is left behind.
 */
export function deadline(
  clock: Clock,
  milliseconds: number,
  parent?: AbortSignal,
): { signal: AbortSignal; timedOut: () => boolean; done: () => void } {
  const controller = new AbortController();
  const ended = new AbortController();
  let timedOut = false;
  const onParent = () => controller.abort(parent?.reason);
  if (parent?.aborted) onParent();
  else parent?.addEventListener("abort", onParent, { once: true });
  void clock.sleep(milliseconds, ended.signal).then(() => {
    if (ended.signal.aborted || controller.signal.aborted) return;
    timedOut = true;
    controller.abort(new DOMException("the time is up", "TimeoutError"));
  });
  return {
    signal: controller.signal,
    timedOut: () => timedOut,
    done() {
      ended.abort();
      parent?.removeEventListener("abort", onParent);
    },
  };
}
