import { fileURLToPath } from "node:url";
import type { Sql } from "postgres";
import { type DatabaseLogin, databaseLogins } from "../state/keys.ts";

/** The SQL files of the bootstrap, in order. */
export const bootstrapFiles = ["bootstrap.sql", "storage_schema.sql"]
  .map((name) => new URL(`./${name}`, import.meta.url));

/**
 * Makes a new cluster into what a hosted project is before its first migration.
 *
 * @param sql superuser connection to the database postgres
 * @param authSchema DDL of the auth tables, from @supabase/lite
 */
export async function bootstrapDatabase(sql: Sql, authSchema: string): Promise<void> {
  const parts = [
    ...await Promise.all(bootstrapFiles.map((file) => Deno.readTextFile(fileURLToPath(file)))),
    `set role supabase_auth_admin;\n${authSchema};\nreset role;`,
    // As hosted: postgres may read and reference users and hang triggers on them.
    "grant all on all tables in schema auth to postgres with grant option;",
  ];
  await sql.unsafe(parts.join("\n")).simple();
}

/** Sets the password of every role that logs in. */
export async function setPasswords(
  sql: Sql,
  passwords: Record<DatabaseLogin, string>,
): Promise<void> {
  const statements = databaseLogins.map((login) =>
    `alter role ${login} with password '${passwords[login].replaceAll("'", "''")}'`
  );
  await sql.unsafe(statements.join(";\n")).simple();
}
