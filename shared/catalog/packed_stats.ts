/**
 * The bounds of a data file's columns as the catalog keeps them: one text, since as objects of objects they were two
 * thirds of a file's row. `{"id":[0,39],"note":["a","z",3],"all":[null,null,5]}`: min, max, and how many are null, which
 * is left out where none is and null where it is not known. Fractions are rounded outwards, to seven digits. Rows of
 * before have the objects themselves.
 */
import type { ColumnStatistics, FileStatistics } from "../parquet/inspect/file_statistics.ts";

/** As the catalog takes it. */
export function packStats(stats: FileStatistics): string {
  const packed: Record<string, unknown[]> = Object.create(null);
  for (const [name, { min = null, max = null, nulls = null }] of Object.entries(stats)) {
    packed[name] = [widened(min, -1), widened(max, 1)];
    if (nulls !== 0 || min === null) packed[name].push(nulls);
  }
  return JSON.stringify(packed);
}

/** A bound of seven digits, on the outer side of what it was: 1 is up. */
function widened(bound: unknown, side: 1 | -1): unknown {
  if (typeof bound !== "number" || Number.isInteger(bound)) return bound;
  for (const value of [bound, bound + side * Math.abs(bound) * 1e-6]) {
    const rounded = Number(value.toPrecision(7));
    if (Number.isFinite(rounded) && side * (rounded - bound) >= 0) return rounded;
  }
  return bound;
}

/** What was packed, or what an older row has. */
export function unpackStats(kept: unknown): unknown {
  if (typeof kept !== "string") return kept;
  const stats: FileStatistics = Object.create(null);
  const packed = JSON.parse(kept) as Record<string, (number | string | boolean | null)[]>;
  for (const [name, [min, max, nulls = 0]] of Object.entries(packed)) {
    const one: ColumnStatistics = min === null ? {} : { min, max: max! };
    if (nulls !== null) one.nulls = nulls as number;
    stats[name] = one;
  }
  return stats;
}
