import { schemaFiles } from "../../supabase/migrate/schema_files.ts";

/**
 * The source of one object of the catalog, for tests that take a line of it out.
 *
 * @param name of the file, without folder and ending; a function's file bears its name
 * @throws when there is no such file
 */
export async function schemaSource(name: string): Promise<string> {
  const file = (await schemaFiles()).find((file) => file.name === name);
  if (!file) throw new Error(`supabase/schemas has no ${name}.sql`);
  return file.text;
}
