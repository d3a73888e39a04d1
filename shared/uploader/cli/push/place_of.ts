/** To which table and period a file belongs: said by its folders in one of three ways, never guessed. */
import { sep } from "node:path";

/** What was said on the command line. */
export interface Given {
  table?: string;
  period?: string;
}

/** Table and period, or why a path says neither. */
export type Place = { table: string; period: string } | { why: string };

/** The three ways, for people. */
export const layouts = `say to which table a file belongs in one of these ways:
  TABLE/PERIOD/file               the folder that is pushed holds a folder a table, that one a folder a period
  table=TABLE/period=PERIOD/file  folders as Hive names them
  --table NAME [--period TAG]     all files are of one table`;

/** A folder of dates (2024-11-25, 2024, 07) is no table's: tables of such names want `--table` or `table=`. */
const looksLikePeriod = /^\d/;
const hivePart = /^([^=]+)=(.*)$/;

/**
 * The place of a file.
 *
 * @param path as it was found, with the part that was named on the command line
 * @param folders the folders between what was named and the file; none for a file that was named itself
 */
export function placeOf(path: string, folders: string[], given: Given): Place {
  const hive = hiveOf(path.split(sep).slice(0, -1), folders);
  if (hive.why !== undefined) return { why: hive.why };
  for (const name of ["table", "period"] as const) {
    const [said, found] = [given[name], hive[name]];
    if (said !== undefined && found !== undefined && said !== found) {
      return { why: `its folder says ${name}=${found}, and --${name} says ${said}` };
    }
  }
  const table = given.table ?? hive.table;
  const period = given.period ?? hive.period;
  const plain = folders.filter((folder) => !hivePart.test(folder));
  if (table !== undefined) {
    if (plain.length === 0 || (given.table !== undefined && period !== undefined)) {
      return { table, period: period ?? "0" };
    }
    const [folder, ...more] = plain;
    return given.table !== undefined && more.length === 0 && looksLikePeriod.test(folder)
      ? { table, period: folder }
      : { why: `no one has said which period its folders (${plain.join("/")}) are` };
  }
  if (period !== undefined) return { why: "a period was said, and no table" };
  if (plain.length !== 2) {
    const below = plain.length === 1 ? "1 folder" : `${plain.length || "no"} folders`;
    return { why: `it lies below ${below}, not TABLE/PERIOD` };
  }
  const [first, second] = plain;
  return looksLikePeriod.test(first)
    ? { why: `its table would be ${first}, which looks like a period` }
    : { table: first, period: second };
}

/** What folders named `key=value` say. Of those above what was named, only ours are looked at. */
function hiveOf(all: string[], below: string[]): Given & { why?: string } {
  const found: Given & { why?: string } = {};
  for (const [i, folder] of all.entries()) {
    const [, key, text] = hivePart.exec(folder) ?? [];
    if (key === undefined) continue;
    const name = key === "table" ? "table" : /^period(_tag)?$/.test(key) ? "period" : null;
    if (name !== null) found[name] = unescaped(text);
    else if (i >= all.length - below.length) {
      // Hive keeps such a column in the folder's name alone: its values would be lost.
      found.why = `its folder ${folder} is a column that its bytes don't have`;
    }
  }
  return found;
}

/** Hive writes what a folder's name can't hold as `%` and two hex digits. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
