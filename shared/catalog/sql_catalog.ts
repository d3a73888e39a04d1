/** The catalog over a PostgreSQL client that the caller has opened: simulation, tests, tools. */
import type { Sql } from "postgres";
import { SedimentError } from "../errors.ts";
import { type CallOptions, type Catalog, catalogOver } from "./catalog_methods.ts";
import { sqlError, type SqlErrorFields } from "./sql_error.ts";

/** The part of a postgres.js client, or of a transaction of one, that is used. */
export type SqlClient = Pick<Sql, "unsafe">;

/**
 * @param sql a client whose role may call the functions: service_role, or their owner
 * @throws (from the methods) as createCatalog's
 */
export function createSqlCatalog(sql: SqlClient): Catalog {
  return catalogOver((functionName, args, options) =>
    callFunction(sql, functionName, args, options)
  );
}

/**
 * Calls one SQL function of the schema public.
 *
 * @param args by the names that the function gives them
 * @returns the function's jsonb
 * @throws SedimentError as {@link sqlError} tells; `aborted`
 */
export async function callFunction(
  sql: SqlClient,
  functionName: string,
  args: Record<string, unknown>,
  { signal }: CallOptions = {},
): Promise<unknown> {
  if (signal?.aborted) throw new SedimentError("aborted", `${functionName} was stopped`);
  const names = Object.keys(args);
  // names come from our own types; PostgreSQL tells the driver each argument's type
  const list = names.map((name, index) => `${name} => $${index + 1}`).join(", ");
  const query = sql.unsafe(
    `select public.${functionName}(${list}) as answer`,
    // deno-lint-ignore no-explicit-any -- postgres.js types jsonb and array parameters too narrowly
    names.map((name) => args[name]) as any[],
    { prepare: true },
  );
  const cancel = () => query.cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    const [row] = await query;
    return row.answer;
  } catch (error) {
    if (signal?.aborted) {
      throw new SedimentError("aborted", `${functionName} was stopped`, { cause: error });
    }
    throw sqlError(error as SqlErrorFields, functionName);
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}
