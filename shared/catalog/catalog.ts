/** The catalog over PostgREST, by supabase-js. */
import type { SupabaseClient } from "@supabase/supabase-js";
import { type Catalog, catalogOver, type CatalogTransport } from "./catalog_methods.ts";
import { fairCalls } from "./fair_calls.ts";
import { quietRefusals } from "./quiet_refusals.ts";
import { sqlError, type SqlErrorFields } from "./sql_error.ts";
import { unlessAborted } from "./unless_aborted.ts";

export type { CallOptions, Catalog, CatalogArgs } from "./catalog_methods.ts";

/** The part of a client that is used; a client made with the secret key, whatever its Database type. */
export type RpcClient = Pick<SupabaseClient, "rpc">;

/** PostgREST has ten connections where nothing else is set, for everybody. */
const fairShare = { total: 8, perUser: 2 };

/**
 * Milliseconds between the tries of a call that PostgREST refuses because it does not know the schema, or not yet as
 * it is: after a migration it reads it anew, which takes it some tenths of a second with a catalog of our size.
 */
const reloadPauses = [50, 100, 200, 400, 800, 1600];

/**
 * @param client of the role service_role; each method makes exactly one `rpc` call, and others only in place of one
 * that PostgREST has not passed on
 * @throws (from the methods) the codes that the SQL function raises; aborted; catalog_failed when no answer
 * came; misconfigured when the function isn't there or this key may not call it
 */
export function createCatalog(client: RpcClient): Catalog {
  const transport: CatalogTransport = (functionName, args, { signal }) =>
    unlessAborted(functionName, signal, async () => {
      for (let attempt = 0;; attempt++) {
        const call = client.rpc(functionName, args);
        const { data, error } = await (signal ? call.abortSignal(signal) : call);
        if (!error) return data;
        const pause = reloadPauses[attempt];
        if (pause === undefined || signal?.aborted || !isReloading(error, functionName)) {
          throw sqlError(error, functionName);
        }
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    });
  return catalogOver(fairCalls(quietRefusals(transport), fairShare));
}

/**
 * PGRST002: it has no schema; PGRST202: none with this function. Where schema_version is missing nothing is on its
 * way: that schema is older than the function.
 * https://docs.postgrest.org/en/v12/references/errors.html
 */
function isReloading({ code }: SqlErrorFields, functionName: string): boolean {
  return code === "PGRST002" || (code === "PGRST202" && functionName !== "schema_version");
}
