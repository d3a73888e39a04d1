/** Runs pgTAP files over a connection, as pg_prove does with psql. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import postgres from "postgres";

/** Where the pgTAP files are. */
export const tapFolder = fileURLToPath(new URL("../../supabase/tests/", import.meta.url));

export interface TapOutcome {
  /** How many assertions the file's plan announces. */
  planned: number;
  ran: number;
  /** Lines that are not "ok", with what pgTAP says of them; and what is wrong with the whole. */
  failures: string[];
}

/** The pgTAP files, by name. */
export function tapFiles(): string[] {
  return [...Deno.readDirSync(tapFolder)]
    .filter((entry) => entry.isFile && entry.name.endsWith(".sql"))
    .map((entry) => entry.name)
    .sort();
}

/**
 * Runs one file on a connection of its own: files end with a rollback, a failing one might not get there.
 *
 * @param url of the role postgres
 */
export async function runTapFile(url: string, name: string): Promise<TapOutcome> {
  const sql = postgres(url, { max: 1, onnotice: () => {}, prepare: false });
  try {
    const text = await included(join(tapFolder, name));
    const results = await sql.unsafe(text).simple() as unknown as Record<string, unknown>[][];
    const lines = results.flat().flatMap((row) => Object.values(row))
      .filter((value): value is string => typeof value === "string")
      .flatMap((value) => value.split("\n"));
    return read(lines);
  } catch (error) {
    return { planned: 0, ran: 0, failures: [`the file broke off: ${describe(error)}`] };
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** psql's `\ir file`, the one command of psql that the files use. */
async function included(path: string): Promise<string> {
  const text = await Deno.readTextFile(path);
  const parts = await Promise.all(
    text.split("\n").map((line) => {
      const match = /^\\ir (\S+)$/.exec(line);
      return match ? included(join(dirname(path), match[1])) : line;
    }),
  );
  return parts.join("\n");
}

function read(lines: string[]): TapOutcome {
  const failures: string[] = [];
  let planned = 0;
  let ran = 0;
  let failing = false;
  for (const line of lines) {
    const plan = /^1\.\.(\d+)$/.exec(line);
    if (plan) planned = Number(plan[1]);
    if (/^(not )?ok \d+/.test(line)) ran++;
    if (/^not ok/.test(line) && !/# (TODO|SKIP)/i.test(line)) {
      failures.push(line);
      failing = true;
    } else if (failing && line.startsWith("#")) {
      failures[failures.length - 1] += `\n${line}`;
    } else {
      failing = false;
    }
  }
  if (planned === 0 || ran !== planned) failures.push(`planned ${planned} assertions, ran ${ran}`);
  return { planned, ran, failures };
}

function describe(error: unknown): string {
  const { message, code, detail, where, position } = error as Record<string, string>;
  return [message, code && `(${code})`, detail, where, position && `at ${position}`]
    .filter(Boolean).join(" ");
}
