import { type Catalog, catalogOver } from "../../shared/catalog/catalog_methods.ts";
import { queryFunction, type SqlClient } from "../../shared/catalog/query_function.ts";
import { sqlError, type SqlErrorFields } from "../../shared/catalog/sql_error.ts";
import { unlessAborted } from "../../shared/catalog/unless_aborted.ts";

/**
 * The catalog over a client that the caller has opened.
 *
 * @param sql a client whose role may call the functions: service_role, or their owner
 * @throws (from the methods) as createCatalog's
 */
export function createSqlCatalog(sql: SqlClient): Catalog {
  return catalogOver((functionName, args, { signal }) =>
    unlessAborted(functionName, signal, async () => {
      try {
        return await queryFunction(sql, functionName, args);
      } catch (error) {
        throw sqlError(error as SqlErrorFields, functionName);
      }
    })
  );
}
