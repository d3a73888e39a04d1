/** A script that makes a view of each table for DuckDB, over files or URLs. */
import { readFile, rm, writeFile } from "node:fs/promises";

/** How a script begins that may be written anew: whoever changes one is told by it. */
const head = "-- sediment: made anew by each pull";

/** A file of a table, and where DuckDB finds it. */
export interface ViewedFile {
  table: string;
  /** Path or URL. */
  place: string;
}

/** SQL, one statement a table. */
export function duckdbScript(files: ViewedFile[], about: string): string {
  const views = [...Map.groupBy(files, ({ table }) => table)]
    .sort(([a], [b]) => a < b ? -1 : 1)
    .map(([table, members]) => {
      const places = members.map(({ place }) => `  ${literal(place)}`).join(",\n");
      return `create or replace view ${identifier(table)} as\n` +
        `select * from read_parquet([\n${places}\n], union_by_name = true);\n`;
    });
  return `${head}\n-- ${about.replaceAll(/[\r\n]+/g, " ")}\n${views.join("\n")}`;
}

/** Writes a script, unless a file that is none of ours is in its place. @returns whether it was written */
export async function writeScript(path: string, script: string): Promise<boolean> {
  if (!await mayReplace(path)) return false;
  // Its URLs let whoever has them read.
  await writeFile(path, script, { mode: 0o600 });
  return true;
}

/** Removes a script that is ours. */
export async function removeScript(path: string): Promise<void> {
  if (await mayReplace(path)) await rm(path, { force: true });
}

async function mayReplace(path: string): Promise<boolean> {
  return await readFile(path, "utf8").then((text) => text.startsWith(head), () => true);
}

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;
const identifier = (text: string) => `"${text.replaceAll('"', '""')}"`;
