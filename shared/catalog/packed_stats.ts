/**
 * The bounds of a data file's columns as the catalog keeps them: one text, since as objects of objects they were two
 * thirds of a file's row. A column has `[min, max, nulls]`; nulls is left out where none is, and null where it is not known.
 * Columns stand in the order of the file's schema, which the catalog keeps beside it, 0 for one of which nothing is known:
 * `[[0,39],0,["a","z",3]]`. Fractions are rounded outwards, to seven digits.
 *
 * Rows of before have the columns by name, `{"id":[0,39],"note":["a","z",3]}`, or the objects themselves; so have files
 * whose schema is so wide that a list of files should not carry its names.
 */
import type { ColumnStatistics, FileStatistics } from "../parquet/inspect/file_statistics.ts";

/** Bounds stand by place as far as this; `list_files` gives the names of as many columns. */
export const mostPlaces = 128;

/** So much JSON the names may be. */
const mostNameChars = 16 * 1024;

type Packed = [min: Bound, max: Bound, nulls?: number | null];
type Bound = number | string | boolean | null;

/** As the catalog takes it. @param schema of the file; without names the columns stand by name */
export function packStats(
  stats: FileStatistics,
  schema: { children?: { name: string }[] } = {},
): string {
  const children = schema.children ?? [];
  const byPlace: (Packed | 0)[] = [];
  let left = Object.keys(stats).length, chars = 0;
  for (let place = 0; place < children.length && place < mostPlaces; place++) {
    const { name } = children[place];
    chars += name.length + 3;
    const column = Object.hasOwn(stats, name) ? stats[name] : undefined;
    if (column !== undefined) left--;
    byPlace.push(column === undefined ? 0 : packed(column));
  }
  // a character is at most six in JSON: mostly there is no need to write it
  const isWide = chars * 6 > mostNameChars &&
    JSON.stringify(children.slice(0, mostPlaces).map(({ name }) => name)).length > mostNameChars;
  if (left !== 0 || isWide) {
    const byName: Record<string, Packed> = Object.create(null);
    for (const name of Object.keys(stats)) byName[name] = packed(stats[name]);
    return JSON.stringify(byName);
  }
  while (byPlace.at(-1) === 0) byPlace.pop();
  return JSON.stringify(byPlace);
}

function packed({ min, max, nulls }: ColumnStatistics): Packed {
  const bounds: Packed = [widened(min ?? null, -1), widened(max ?? null, 1)];
  if (nulls !== 0 || min === undefined) bounds.push(nulls ?? null);
  return bounds;
}

/** Powers of ten that are doubles exactly, from 1 to 1e22. */
const powers = Array.from({ length: 23 }, (_, digits) => Number(`1e${digits}`));

/** A bound of seven digits, on the outer side of what it was: 1 is up. */
function widened(bound: Bound, side: 1 | -1): Bound {
  if (typeof bound !== "number" || Number.isInteger(bound)) return bound;
  const power = powers[6 - Math.floor(Math.log10(Math.abs(bound)))];
  if (power !== undefined) {
    // by an exact power a quotient is the double next to its seven digits, and is written with no more
    const units = side === 1 ? Math.ceil(bound * power) : Math.floor(bound * power);
    const rounded = units / power;
    return side * (rounded - bound) >= 0 ? rounded : (units + side) / power;
  }
  for (const value of [bound, bound + side * Math.abs(bound) * 1e-6]) {
    const rounded = Number(value.toPrecision(7));
    if (Number.isFinite(rounded) && side * (rounded - bound) >= 0) return rounded;
  }
  return bound;
}

/**
 * What was packed, or what an older row has.
 *
 * @param names of the schema's columns, in order; what stands at a place without a name is left out
 */
export function unpackStats(kept: unknown, names: string[] = []): unknown {
  if (typeof kept !== "string") return kept;
  const columns = JSON.parse(kept) as Record<string, Packed> | (Packed | 0)[];
  const entries = Array.isArray(columns)
    ? columns.map((column, place) => [names[place], column] as const)
    : Object.entries(columns);
  const stats: FileStatistics = Object.create(null);
  for (const [name, column] of entries) {
    if (name === undefined || column === 0) continue;
    const [min, max, nulls = 0] = column;
    const one: ColumnStatistics = min === null ? {} : { min, max: max! };
    if (nulls !== null) one.nulls = nulls;
    stats[name] = one;
  }
  return stats;
}
