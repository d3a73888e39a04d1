/**
 * Work that comes back after each step of a few milliseconds, so that who does it for one among many can let the others
 * go on first.
 */
export type Steps<T> = Generator<undefined, T>;

/** Does all steps without a pause. */
export function allAtOnce<T>(steps: Steps<T>): T {
  for (let step = steps.next();; step = steps.next()) if (step.done) return step.value;
}

/** Column chunks that are parsed, or looked at, before others may go on: a quarter of a millisecond, and two before V8 knows them. */
export const chunksAtOnce = 128;
