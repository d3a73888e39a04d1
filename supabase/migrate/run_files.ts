/** Runs the SQL of this repository without the CLI, each file as `supabase db push` would: in a transaction of its own. */
import { join } from "node:path";
import type { Sql } from "postgres";
import { migrationFiles, repositoryMigrations } from "../local/migrate.ts";
import { schemaFiles } from "./schema_files.ts";

/** Applies every migration in order, but for some. */
export async function runMigrations(
  sql: Sql,
  folder: string = repositoryMigrations,
  except: readonly string[] = [],
): Promise<void> {
  for (const file of await migrationFiles(folder)) {
    if (except.includes(file)) continue;
    await runFile(sql, file, await Deno.readTextFile(join(folder, file)));
  }
}

/** Runs every file of supabase/schemas: on a new database, or once more. */
export async function runSchemas(sql: Sql): Promise<void> {
  for (const { path, text } of await schemaFiles()) await runFile(sql, path, text);
}

/**
 * Runs one file. A statement that is a file of its own may be one that no transaction allows.
 *
 * @throws naming the file
 */
export async function runFile(sql: Sql, name: string, text: string): Promise<void> {
  try {
    await sql.unsafe(text).simple();
  } catch (cause) {
    throw new Error(`${name}: ${(cause as Error).message}`, { cause });
  }
}
