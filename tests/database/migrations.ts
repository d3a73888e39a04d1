/** The migrations and the schemas, without the CLI: for databases that only a test sees. */
import { join } from "node:path";
import type { Sql } from "postgres";
import { migrationFiles, repositoryMigrations } from "../../supabase/local/migrate.ts";
import { schemaFiles } from "../../supabase/migrate/schema_files.ts";

/** Applies every file in order, each in a transaction of its own, as `supabase db push` does. */
export async function applyMigrations(sql: Sql): Promise<void> {
  for (const file of await migrationFiles(repositoryMigrations)) {
    await runFile(sql, file, await Deno.readTextFile(join(repositoryMigrations, file)));
  }
}

/** Runs every file of supabase/schemas, as the source is read: on a new database, or once more. */
export async function applySchemas(sql: Sql): Promise<void> {
  for (const { path, text } of await schemaFiles()) await runFile(sql, path, text);
}

async function runFile(sql: Sql, name: string, text: string): Promise<void> {
  try {
    await sql.unsafe(text).simple();
  } catch (cause) {
    throw new Error(`${name}: ${(cause as Error).message}`, { cause });
  }
}
