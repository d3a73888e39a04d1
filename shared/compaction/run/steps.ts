/** The steps of a run and how often each is tried inside one turn; longer waits go through the queue. */
import { asSedimentError, SedimentError } from "../../errors.ts";
import type { Clock } from "./clock.ts";

/** The named parts of a run, in order. */
export const stepNames = [
  "validate-dataset",
  "list-fragments",
  "merge",
  "update-metadata",
] as const;
export type StepName = typeof stepNames[number];

interface RetryRule {
  /** Tries in all. */
  tries: number;
  backoff: "exponential" | "linear";
  /** Wait after the first failure; doubled (or added) with each further one. */
  firstMs: number;
}

/** DESIGN section 6. */
export const retryRules: Record<StepName, RetryRule> = {
  "validate-dataset": { tries: 3, backoff: "exponential", firstMs: 5000 },
  "list-fragments": { tries: 3, backoff: "exponential", firstMs: 2000 },
  "merge": { tries: 2, backoff: "linear", firstMs: 2000 },
  "update-metadata": { tries: 3, backoff: "linear", firstMs: 1000 },
};

/** The wait after failure number `failure` (1 for the first) of a step, milliseconds. */
export function waitAfter(step: StepName, failure: number): number {
  const { backoff, firstMs } = retryRules[step];
  return backoff === "exponential" ? firstMs * 2 ** (failure - 1) : firstMs * failure;
}

/** An error that knows in which step of a run it happened. */
export class StepError extends Error {
  override readonly name = "StepError";
  constructor(readonly step: StepName, readonly error: SedimentError) {
    super(`${step}: ${error.message}`, { cause: error });
  }
}

/**
 * Does a step, again when its error is retryable, as its rule says.
 *
 * @throws StepError of the last try; at once when the error is permanent or the signal fired
 */
export async function runStep<T>(
  step: StepName,
  clock: Clock,
  signal: AbortSignal,
  action: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1;; attempt++) {
    try {
      if (signal.aborted) {
        throw new SedimentError("aborted", "The turn was stopped", { cause: signal.reason });
      }
      return await action();
    } catch (thrown) {
      if (thrown instanceof StepError) throw thrown;
      const error = asSedimentError(thrown);
      const again = error.retryable && error.code !== "aborted" && !signal.aborted &&
        attempt < retryRules[step].tries;
      if (!again) throw new StepError(step, error);
      try {
        await clock.sleep(waitAfter(step, attempt), signal);
      } catch (stopped) {
        throw new StepError(step, asSedimentError(stopped));
      }
    }
  }
}
