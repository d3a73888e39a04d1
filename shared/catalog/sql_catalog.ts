/** The catalog over a connection of one's own: simulation, tests, tools. */
import type { Sql } from "postgres";
import { SedimentError } from "../errors.ts";
import { type Catalog, catalogOver } from "./catalog_methods.ts";
import { sqlError, type SqlErrorFields } from "./sql_error.ts";

/**
 * @param sql a postgres.js client (or a transaction of one) whose role may call the functions: service_role, or
 * their owner
 * @throws (from the methods) as createCatalog's
 */
export function createSqlCatalog(sql: Pick<Sql, "unsafe">): Catalog {
  return catalogOver(async (functionName, args, { signal }) => {
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
  });
}
