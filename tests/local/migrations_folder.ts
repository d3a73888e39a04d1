import { join } from "node:path";

/** A temporary folder of migrations: file name → SQL. The caller removes it. */
export async function migrationsFolder(files: Record<string, string>): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "sediment-migrations-" });
  for (const [name, sql] of Object.entries(files)) {
    await Deno.writeTextFile(join(folder, name), sql);
  }
  return folder;
}
