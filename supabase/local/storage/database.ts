/** The stand-in's connections to PostgreSQL, as the real API has its own: the role supabase_storage_admin. */
import postgres, { type Sql, type TransactionSql } from "postgres";

import { stackError } from "../parts/stack_error.ts";
import { type StorageApiCode, StorageApiError } from "./errors.ts";
import type { Scope } from "./scope.ts";

const applicationName = "storage stand-in";

/** Opens the connections; nothing is sent until they are used. */
export function connectStorage(databaseUrl: string): Sql {
  return postgres(databaseUrl, {
    max: 4,
    idle_timeout: 20,
    onnotice: () => {},
    connection: {
      application_name: applicationName,
      // Policies may call functions of these by their bare names, as at the real API.
      search_path: "storage, public, extensions",
      lock_timeout: 5000,
    },
  });
}

/**
 * Makes the stand-in's functions, and ends what a killed stand-in has left running in the server: a row that it
 * commits after our look around would point at bytes that we have swept.
 *
 * @param root names the state folder in the refusal
 * @throws part_failed when the database was made by an older version of the stand-in
 */
export async function prepareDatabase(sql: Sql, root: string): Promise<void> {
  const [{ known }] = await sql`
    select to_regprocedure('storage.protect_delete()') is not null as known,
      (select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity
       where application_name = ${applicationName} and datname = current_database()
         and pid <> pg_backend_pid())`;
  if (!known) throw olderFormat(root);
  await sql.unsafe(await Deno.readTextFile(new URL("./functions.sql", import.meta.url))).simple();
}

/** The refusal of a state folder whose objects are kept in an older way. */
export function olderFormat(root: string): Error {
  return stackError(
    "part_failed",
    `${root} is of an older version, which kept objects without rows in storage.objects; nothing was changed.`,
    "Begin anew with an empty stack: deno task start --reset (with the same --state)",
  );
}

/** Runs a transaction under a caller's role and claims; what the database refuses is a StorageApiError. */
export async function withScope<T>(
  sql: Sql,
  { role, claims, operation }: Scope,
  run: (tx: TransactionSql) => Promise<T>,
): Promise<T> {
  const done = sql.begin(async (tx) => {
    await tx`select storage_stand_in.act_as(${role}, ${claims}, ${operation})`;
    return await run(tx);
  });
  return await orRefused(done as Promise<T>);
}

/** What the API answers for the errors of the database; the rest is `DatabaseError` with its message. */
const codes: Record<string, StorageApiCode> = {
  "42501": "AccessDenied", // insufficient_privilege: a policy or a grant
  "23505": "KeyAlreadyExists", // unique_violation
  "23503": "NoSuchBucket", // foreign_key_violation
  "55P03": "ResourceLocked", // lock_not_available
  "22021": "InvalidRequest", // character_not_in_repertoire: NUL
  "22P05": "InvalidRequest", // untranslatable_character: \u0000 in JSON
};

/** The result, or the StorageApiError for what PostgreSQL said. Other errors (a lost connection) stay. */
export async function orRefused<T>(query: PromiseLike<T>): Promise<T> {
  try {
    return await query;
  } catch (thrown) {
    if (!(thrown instanceof postgres.PostgresError)) throw thrown;
    const code = codes[thrown.code];
    if (code) throw new StorageApiError(code, undefined, thrown);
    throw new StorageApiError("DatabaseError", thrown.message, thrown);
  }
}
