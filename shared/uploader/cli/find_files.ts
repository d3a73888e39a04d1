/** Which files a `push` means, and to which table and period each belongs. */
import { lstat, readdir, stat } from "node:fs/promises";
import { basename, extname, join, relative, resolve, sep } from "node:path";
import { namePattern } from "../../protocol/names.ts";
import { UsageError } from "./options.ts";

/** A file to push. */
export interface FoundFile {
  path: string;
  size: number;
  modifiedMs: number;
  table: string;
  period: string;
  format: "parquet" | "avro";
}

/** A file that was passed over, and why. */
export interface PassedOver {
  path: string;
  why: string;
}

// What macOS, Windows and office programs leave beside files.
const litter = /^(\.|~\$|Thumbs\.db$|desktop\.ini$|Icon\r$|__MACOSX$)/i;

/**
 * Finds Parquet and Avro files under the paths. Without a table given, a folder's layout says it:
 * `TABLE/PERIOD/file`, `TABLE/file`, or `TABLE.parquet`.
 *
 * @param given table and period of all files; `except`, a folder to leave out (the pending one)
 * @throws UsageError when a path that was named can't be read
 */
export async function findFiles(
  paths: string[],
  given: { table?: string; period?: string; except?: string },
): Promise<{ files: FoundFile[]; passedOver: PassedOver[] }> {
  const except = given.except === undefined ? null : resolve(given.except);
  const files: FoundFile[] = [];
  const passedOver: PassedOver[] = [];

  async function look(path: string, root: string | null): Promise<void> {
    const name = basename(path);
    if (root !== null && (litter.test(name) || resolve(path) === except)) return;
    // A link inside a folder may lead out of it; one that was named is what the user means.
    const found = await (root === null ? stat(path) : lstat(path)).catch((error) => {
      if (root === null) throw new UsageError(`${path}: ${(error as Error).message}`);
      // Such names come with a replacement character, under which there is no file.
      const why = name.includes("\ufffd") ? "its name is no UTF-8" : (error as Error).message;
      passedOver.push({ path, why });
      return null;
    });
    if (!found) return;
    if (found.isSymbolicLink()) return void passedOver.push({ path, why: "a symbolic link" });
    if (found.isDirectory()) {
      const entries = await readdir(path).catch((error) => {
        passedOver.push({ path, why: (error as Error).message });
        return [];
      });
      for (const entry of entries.sort()) await look(join(path, entry), root ?? path);
      return;
    }
    const extension = extname(name).toLowerCase();
    const format = extension === ".parquet" ? "parquet" : extension === ".avro" ? "avro" : null;
    if (format === null) {
      const why = "neither .parquet nor .avro";
      if (root === null) throw new UsageError(`${path}: ${why}`);
      return void passedOver.push({ path, why });
    }
    // A pipe would be waited for until somebody writes into it.
    if (!found.isFile()) return void passedOver.push({ path, why: "no file: a pipe or a device" });
    const { table, period } = placeOf(path, root, given);
    const wrong = [table, period].find((word) => !namePattern.test(word));
    if (wrong !== undefined) {
      const why = `${
        JSON.stringify(wrong)
      } is no name of a table or period (letters, digits, _ and -, up to 64): give --table`;
      return void passedOver.push({ path, why });
    }
    files.push({ path, size: found.size, modifiedMs: found.mtimeMs, table, period, format });
  }

  for (const path of paths) await look(path, null);
  return { files, passedOver };
}

/** What was passed over, in lines for people: a few names of each reason. */
export function linesOf(passedOver: PassedOver[]): string[] {
  const shown = 5;
  return [...Map.groupBy(passedOver, ({ why }) => why)].flatMap(([why, all]) => [
    ...all.slice(0, shown).map(({ path }) => `passed over ${path}: ${why}`),
    ...(all.length > shown ? [`passed over ${all.length - shown} more: ${why}`] : []),
  ]);
}

function placeOf(
  path: string,
  root: string | null,
  given: { table?: string; period?: string },
): { table: string; period: string } {
  const folders = root === null ? [] : relative(root, path).split(sep).slice(0, -1);
  return {
    table: given.table ?? folders[0] ?? basename(path, extname(path)),
    period: given.period ?? (given.table === undefined ? folders[1] : folders[0]) ?? "0",
  };
}
