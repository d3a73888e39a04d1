/** The migrations, without the CLI: for databases that only a test sees. */
import { join } from "node:path";
import type { Sql } from "postgres";
import { migrationFiles, repositoryMigrations } from "../../supabase/local/migrate.ts";

/** Applies every file in order, each in a transaction of its own, as `supabase db push` does. */
export async function applyMigrations(sql: Sql): Promise<void> {
  for (const file of await migrationFiles(repositoryMigrations)) {
    const text = await Deno.readTextFile(join(repositoryMigrations, file));
    try {
      await sql.unsafe(text).simple();
    } catch (cause) {
      throw new Error(`${file}: ${(cause as Error).message}`, { cause });
    }
  }
}
