/** The port to time and chance, so that tests and the simulation can hold both. */
import { SedimentError } from "../../errors.ts";

/** Time and chance. */
export interface Clock {
  now(): Date;
  /** Waits; throws `aborted` when the signal fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The real one. */
export const systemClock: Clock = {
  now: () => new Date(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        reject(new SedimentError("aborted", "A wait was stopped", { cause: signal?.reason }));
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", stop);
        resolve();
      }, ms);
      if (signal?.aborted) stop();
      else signal?.addEventListener("abort", stop, { once: true });
    });
  },
};
