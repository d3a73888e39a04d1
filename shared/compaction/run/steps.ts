/** The steps of a run and how often each is tried inside one turn; longer waits go through the queue. */
import { asSedimentError, SedimentError } from "../../errors.ts";
import { retry, type RetryRule } from "../../retry.ts";
import type { Clock } from "../../clock.ts";

/** The named parts of a run, in order. */
const stepNames = [
  "validate-dataset",
  "list-fragments",
  "merge",
  "update-metadata",
] as const;
export type StepName = typeof stepNames[number];

/** How long the waits between a step's tries grow from. */
interface StepRule {
  /** Tries in all. */
  tries: number;
  backoff: "exponential" | "linear";
  /** Wait after the first failure; doubled (or added) with each further one. */
  firstMs: number;
}

/** Every step and how it is tried again. */
const stepRules: Record<StepName, StepRule> = {
  "validate-dataset": { tries: 3, backoff: "exponential", firstMs: 5000 },
  "list-fragments": { tries: 3, backoff: "exponential", firstMs: 2000 },
  "merge": { tries: 2, backoff: "linear", firstMs: 2000 },
  "update-metadata": { tries: 3, backoff: "linear", firstMs: 1000 },
};

function retryRule(step: StepName): RetryRule {
  const { tries, backoff, firstMs } = stepRules[step];
  return {
    tries,
    waitMs: (failure) =>
      backoff === "exponential" ? firstMs * 2 ** (failure - 1) : firstMs * failure,
    isFinal: (thrown) => thrown instanceof StepError,
  };
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
  try {
    if (signal.aborted) {
      throw new SedimentError("aborted", "The turn was stopped", { cause: signal.reason });
    }
    return await retry(action, retryRule(step), { clock, signal });
  } catch (thrown) {
    // A step inside of a step names itself.
    throw thrown instanceof StepError ? thrown : new StepError(step, asSedimentError(thrown));
  }
}
