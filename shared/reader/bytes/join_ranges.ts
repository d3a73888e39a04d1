/** Bytes [start, start + length) of a file. */
export interface Extent {
  start: number;
  length: number;
}

/**
 * Joins extents, which are sorted, whose gaps are small: a request costs more than bytes that nobody needs.
 * @param largestGap bytes
 */
export function joinExtents(extents: readonly Extent[], largestGap: number): Extent[] {
  const joined: Extent[] = [];
  for (const { start, length } of extents) {
    const last = joined.at(-1);
    const end = last === undefined ? 0 : last.start + last.length;
    if (last !== undefined && start - end <= largestGap) {
      last.length = Math.max(end, start + length) - last.start;
    } else joined.push({ start, length });
  }
  return joined;
}

/** The extents that do not lie inside of what is held already. */
export function missingExtents(extents: readonly Extent[], held: readonly Extent[]): Extent[] {
  return extents.filter(({ start, length }) =>
    !held.some((one) => start >= one.start && start + length <= one.start + one.length)
  );
}
