/**
 * Which migrations have landed: a database somewhere may have applied them, so their text stays as it is. The list is
 * landed.sha256, as `sha256sum` writes it, which a release brings up to date; in a checkout with git also whatever the
 * branch main has. What is in neither is a session's own, and may be edited, renamed and drafted anew until it lands.
 */
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { migrationFiles, repositoryMigrations } from "../local/migrate.ts";

/** The list that is committed. */
const landedFile = fileURLToPath(new URL("./landed.sha256", import.meta.url));

/** SHA-256 of what has landed, by the file's name. */
export type Landed = Map<string, string>;

/** What the list says. */
export async function readLanded(path: string = landedFile): Promise<Landed> {
  const lines = (await Deno.readTextFile(path)).split("\n").filter((line) => line !== "");
  return new Map(lines.map((line) => {
    const [hash, file] = line.split("  ");
    return [file, hash];
  }));
}

/** Writes the list anew, in the order of the files. */
export async function writeLanded(landed: Landed, path: string = landedFile): Promise<void> {
  const lines = [...landed].sort(([a], [b]) => a < b ? -1 : 1)
    .map(([file, hash]) => `${hash}  ${file}\n`);
  await Deno.writeTextFile(path, lines.join(""));
}

/**
 * What the branch main had where this one left it, from the first of the list on: history began there.
 *
 * @returns empty without git, or where there is no branch main
 */
export async function landedOnMain(
  listed: Landed,
  folder: string = repositoryMigrations,
): Promise<Landed> {
  const first = [...listed.keys()].sort()[0] ?? "";
  for (const main of ["origin/main", "main"]) {
    const base = await git(folder, "merge-base", "HEAD", main);
    const names = base && await git(folder, "ls-tree", "--name-only", base.trim(), "./");
    if (!base || !names) continue;
    const landed: Landed = new Map();
    for (const file of names.split("\n")) {
      if (!/^\d+_.*\.sql$/.test(file) || file < first) continue;
      const text = await git(folder, "show", `${base.trim()}:./${file}`);
      if (text !== undefined) landed.set(file, sha256(text));
    }
    return landed;
  }
  return new Map();
}

/**
 * What is wrong with a folder of migrations, in words; nothing when all that landed is there as it was, and whatever
 * has not landed comes after it.
 */
export async function landedFaults(
  landed: Landed,
  folder: string = repositoryMigrations,
): Promise<string[]> {
  const files = await migrationFiles(folder);
  const faults: string[] = [];
  for (const [file, hash] of landed) {
    if (!files.includes(file)) faults.push(`${file} has landed and is gone`);
    else if (sha256(await Deno.readTextFile(`${folder}/${file}`)) !== hash) {
      faults.push(`${file} has landed and was changed: put it back, and write a new migration`);
    }
  }
  const last = [...landed.keys()].sort().at(-1) ?? "";
  for (const file of files.filter((file) => !landed.has(file) && file < last)) {
    faults.push(`${file} comes before ${last}, which has landed: give it a later time`);
  }
  return faults;
}

/** Of a migration's text. */
export const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

async function git(folder: string, ...args: string[]): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command("git", {
      args: ["-C", folder, ...args],
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout) : undefined;
  } catch {
    return undefined;
  }
}
