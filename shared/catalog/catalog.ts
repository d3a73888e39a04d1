/** The catalog over PostgREST, by supabase-js. */
import type { SupabaseClient } from "@supabase/supabase-js";
import { type Catalog, catalogOver, type CatalogTransport } from "./catalog_methods.ts";
import { fairCalls } from "./fair_calls.ts";
import { sqlError } from "./sql_error.ts";
import { unlessAborted } from "./unless_aborted.ts";

export type { CallOptions, Catalog, CatalogArgs } from "./catalog_methods.ts";

/** The part of a client that is used; a client made with the secret key, whatever its Database type. */
export type RpcClient = Pick<SupabaseClient, "rpc">;

/** PostgREST has ten connections where nothing else is set, for everybody. */
const fairShare = { total: 8, perUser: 2 };

/**
 * @param client of the role service_role; each method makes exactly one `rpc` call
 * @throws (from the methods) the codes that the SQL function raises; aborted; catalog_failed when no answer
 * came; misconfigured when the function isn't there or this key may not call it
 */
export function createCatalog(client: RpcClient): Catalog {
  const transport: CatalogTransport = (functionName, args, { signal }) =>
    unlessAborted(functionName, signal, async () => {
      const call = client.rpc(functionName, args);
      const { data, error } = await (signal ? call.abortSignal(signal) : call);
      if (error) throw sqlError(error, functionName);
      return data;
    });
  return catalogOver(fairCalls(transport, fairShare));
}
