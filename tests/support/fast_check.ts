/**
 * fast-check with one seed for all tests, so that a run of the suite can be repeated: 42, or what FC_SEED says.
 * `FC_SEED=random` takes a new one, which fast-check names when a property fails.
 */
import fc from "fast-check";

/** The seed of this process, from what FC_SEED holds. Throws on words that are neither a seed nor `random`. */
export function seedFrom(text: string | undefined): number {
  if (text === undefined || text === "") return 42;
  if (text === "random") return crypto.getRandomValues(new Int32Array(1))[0];
  const seed = Number(text);
  if (!Number.isInteger(seed)) {
    throw new Error(`FC_SEED is "${text}", not a whole number or random`);
  }
  return seed;
}

const seed = seedFrom(Deno.env.get("FC_SEED"));
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });

export default fc;
