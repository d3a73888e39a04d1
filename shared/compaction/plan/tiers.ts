/**
 * Size tiers: files are merged with files of about their own size, so that each byte is rewritten
 * O(log n) times while a partition grows (Bentley and Saxe's logarithmic method, as in size-tiered LSM trees).
 */

/** Files below this share the lowest tier, bytes: rewriting them costs less than telling them apart. */
const floorBytes = 32 * 1024;

/** From this share of the target on, a file is full grown. */
const fullGrown = 0.75;

/**
 * The tier of a size: 0 below the floor, then one more for each factor `ratio`.
 *
 * @param bytes size of the file
 * @param targetBytes size at which files are left alone
 * @param ratio growth from tier to tier; with `ratio` files a merge, its output is at least one tier up
 * @returns the tier, or null for a file that is full grown
 */
export function tierOf(bytes: number, targetBytes: number, ratio: number): number | null {
  if (bytes >= targetBytes * fullGrown) return null;
  let tier = 0;
  for (let edge = floorBytes; bytes >= edge; edge *= ratio) tier++;
  return tier;
}

/** The growth from tier to tier that belongs to a smallest number of inputs. */
export function tierRatio(minInputs: number): number {
  return Math.min(8, Math.max(2, minInputs));
}

/**
 * Which files of one group are to be merged now. Tiers are looked at from the smallest; one that has
 * enough files is taken, and what its merge would give counts as one file of the next tiers, so that a byte
 * that is about to rise two tiers is written once.
 *
 * @param files any order
 * @param minInputs files that a tier needs
 * @returns the chosen files; empty when no tier has enough
 */
export function chooseByTier<T extends { byte_length: number }>(
  files: T[],
  targetBytes: number,
  minInputs: number,
): T[] {
  const ratio = tierRatio(minInputs);
  const tiers = new Map<number, T[]>();
  for (const file of files) {
    const tier = tierOf(file.byte_length, targetBytes, ratio);
    if (tier !== null) tiers.set(tier, [...(tiers.get(tier) ?? []), file]);
  }
  let chosen: T[] = [];
  let chosenBytes = 0;
  for (const tier of [...tiers.keys()].sort((a, b) => a - b)) {
    const members = tiers.get(tier)!;
    const carried = chosen.length > 0 && (tierOf(chosenBytes, targetBytes, ratio) ?? -1) >= tier;
    if (members.length + (carried ? 1 : 0) < Math.max(2, minInputs)) continue;
    chosen = [...chosen, ...members];
    chosenBytes += members.reduce((sum, file) => sum + file.byte_length, 0);
  }
  return chosen;
}
