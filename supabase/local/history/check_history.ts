/**
 * Whether what a database has applied is what the repository says: a version is applied once, so a file that was
 * edited afterwards would be believed to be there. The CLI keeps the text of each (schema_migrations.statements).
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Sql } from "postgres";
import { migrationFiles } from "../migrate.ts";
import { stackError } from "../parts/stack_error.ts";
import { statementsDigest } from "./statements_digest.ts";

/** The migrations before the history began anew with two files, as `digest  file`. */
const unsquashedFile = fileURLToPath(new URL("./unsquashed.sha256", import.meta.url));

/** How many migrations replaced those. */
const squashed = 2;

interface Applied {
  version: string;
  name: string | null;
  statements: string[] | null;
}

/**
 * Compares what was applied with the files, and adopts a database of the last tree before the history began anew: its
 * rows are replaced by those of the migrations that make the same. Versions that are no file's are another app's.
 *
 * @returns whether it was adopted
 * @throws state_outdated with the files that differ and the way out; nothing is changed then
 */
export async function checkHistory(sql: Sql, migrationsDir: string): Promise<boolean> {
  const [{ known }] = await sql`
    select to_regclass('supabase_migrations.schema_migrations') is not null as known`;
  if (!known) return false;
  const applied = await sql<Applied[]>`
    select version, name, statements from supabase_migrations.schema_migrations order by version`;
  const files = await Promise.all(
    (await migrationFiles(migrationsDir)).map(async (file) => ({
      file,
      version: file.slice(0, file.indexOf("_")),
      text: await Deno.readTextFile(join(migrationsDir, file)),
    })),
  );
  const edited = files.filter(({ version, text }) => {
    const row = applied.find((row) => row.version === version);
    return row !== undefined && statementsDigest(row.statements ?? []) !== statementsDigest(text);
  });
  if (edited.length > 0) {
    throw outdated(edited.map(({ file }) => file), "was edited after this database applied it");
  }

  const old = await unsquashed();
  const names = new Set(old.map(({ file }) => file.slice(15)));
  const before = applied.filter(({ version, name }) =>
    !files.some((file) => file.version === version) &&
    (old.some((file) => file.version === version) || names.has(`${name}.sql`))
  );
  if (before.length === 0) return false;
  const differing = old.filter(({ version, hash }) => {
    const row = before.find((row) => row.version === version);
    return row === undefined || statementsDigest(row.statements ?? []) !== hash;
  }).map(({ file }) => file);
  const unknown = before.filter(({ version }) => !old.some((file) => file.version === version))
    .map(({ version, name }) => `${version}_${name}.sql`);
  if (differing.length + unknown.length > 0) {
    throw outdated([...differing, ...unknown], "is not what this database applied");
  }
  await sql.begin(async (tx) => {
    await tx`delete from supabase_migrations.schema_migrations
      where version = any (${before.map(({ version }) => version)})`;
    for (const { file, version, text } of files.slice(0, squashed)) {
      await tx`insert into supabase_migrations.schema_migrations (version, name, statements)
        values (${version}, ${file.slice(15, -".sql".length)}, ${[text]})`;
    }
  });
  return true;
}

function outdated(files: string[], what: string): Error {
  const some = files.slice(0, 5).join(", ");
  const more = files.length > 5 ? ` and ${files.length - 5} more` : "";
  return stackError(
    "state_outdated",
    `This state folder was made by other migrations: ${some}${more} ${what}.`,
    "Take the data out (start the checkout that made it, `sediment pull`), then start with --reset; " +
      "or choose another --state.",
  );
}

async function unsquashed(): Promise<{ hash: string; version: string; file: string }[]> {
  const lines = (await Deno.readTextFile(unsquashedFile)).split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    const [hash, file] = line.split("  ");
    return { hash, file, version: file.slice(0, file.indexOf("_")) };
  });
}
