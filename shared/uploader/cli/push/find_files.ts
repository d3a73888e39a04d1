/** Which files a `push` means, and to which table and period each belongs. */
import { lstat, readdir, stat } from "node:fs/promises";
import { basename, extname, join, relative, resolve, sep } from "node:path";
import { namePattern } from "../../../protocol/names.ts";
import { UsageError } from "../options.ts";
import { type Given, layouts, placeOf } from "./place_of.ts";

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

/** What is under the paths of a push. */
export interface Found {
  files: FoundFile[];
  passedOver: PassedOver[];
  /** Data files of which nothing says to which table and period they belong. */
  misplaced: PassedOver[];
}

// What macOS, Windows, office programs, and Spark's and Delta's writers leave beside files.
const litter =
  /^(\.|~\$|Thumbs\.db$|desktop\.ini$|Icon\r$|__MACOSX$|_(SUCCESS|temporary|metadata|common_metadata|delta_log)$)/i;

/**
 * Finds Parquet and Avro files under the paths, each once; place_of.ts has what says their table.
 *
 * @param given table and period of all files; `except`, folders to leave out (pending ones)
 * @throws UsageError when a path that was named can't be read
 */
export async function findFiles(
  paths: string[],
  given: Given & { except?: string[] },
): Promise<Found> {
  const except = new Set((given.except ?? []).map((path) => resolve(path)));
  const files: FoundFile[] = [];
  const passedOver: PassedOver[] = [];
  const misplaced: PassedOver[] = [];
  /** Paths that overlap name a file more than once. */
  const seen = new Set<string>();

  async function look(path: string, root: string | null): Promise<void> {
    const name = basename(path);
    if (root !== null && (litter.test(name) || except.has(resolve(path)))) return;
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
    if (seen.has(resolve(path))) return;
    seen.add(resolve(path));
    const extension = extname(name).toLowerCase();
    const format = extension === ".parquet" ? "parquet" : extension === ".avro" ? "avro" : null;
    if (format === null) {
      const why = "neither .parquet nor .avro";
      if (root === null) throw new UsageError(`${path}: ${why}`);
      return void passedOver.push({ path, why });
    }
    // A pipe would be waited for until somebody writes into it.
    if (!found.isFile()) return void passedOver.push({ path, why: "no file: a pipe or a device" });
    const folders = root === null ? [] : relative(root, path).split(sep).slice(0, -1);
    const place = placeOf(path, folders, given);
    if ("why" in place) return void misplaced.push({ path, why: place.why });
    const { table, period } = place;
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
  return { files, passedOver, misplaced };
}

/** @throws UsageError when a file has no place: nothing is sent then, since a wrong table can't be taken back */
export function refuseMisplaced(misplaced: PassedOver[]): void {
  if (misplaced.length === 0) return;
  const named = misplaced.slice(0, 5).map(({ path, why }) => `  ${path}: ${why}`);
  const more = misplaced.length > named.length
    ? `\n  and ${misplaced.length - named.length} more`
    : "";
  throw new UsageError(
    `no table is known for ${misplaced.length} of the files:\n${
      named.join("\n")
    }${more}\n${layouts}`,
  );
}
