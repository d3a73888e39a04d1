/** `GET /battle-data/tables`. */
import { readingUser } from "../../shared/http/authenticate.ts";
import { queryOf } from "../../shared/http/query_of.ts";
import { tablesQuerySchema } from "../../shared/protocol/tables.ts";
import { validate } from "../../shared/protocol/validate.ts";
import { readTables } from "../../shared/readers/tables.ts";
import type { Services } from "../services.ts";

/** A page of the tables of a dataset. */
export async function serveTables(services: Services, request: Request): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const query = validate(tablesQuerySchema, queryOf(request));
  const tables = await readTables(services.catalog, readingUser(caller), query);
  return Response.json(tables, { headers: { "cache-control": "no-store" } });
}
