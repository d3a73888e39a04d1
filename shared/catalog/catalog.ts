/** The catalog over PostgREST, by supabase-js. */
import type { SupabaseClient } from "@supabase/supabase-js";
import { SedimentError } from "../errors.ts";
import { type Catalog, catalogOver } from "./catalog_methods.ts";
import { sqlError } from "./sql_error.ts";

export type { CallOptions, Catalog, CatalogArgs } from "./catalog_methods.ts";

/** The part of a client that is used; a client made with the secret key, whatever its Database type. */
export type RpcClient = Pick<SupabaseClient, "rpc">;

/**
 * @param client of the role service_role; each method makes exactly one `rpc` call
 * @throws (from the methods) the codes that the SQL function raises; aborted; catalog_failed when no answer
 * came; misconfigured when the function isn't there or this key may not call it
 */
export function createCatalog(client: RpcClient): Catalog {
  return catalogOver(async (functionName, args, { signal }) => {
    if (signal?.aborted) throw abortedCall(functionName, signal);
    const call = client.rpc(functionName, args);
    const { data, error } = await (signal ? call.abortSignal(signal) : call);
    if (signal?.aborted) throw abortedCall(functionName, signal);
    if (error) throw sqlError(error, functionName);
    return data;
  });
}

function abortedCall(functionName: string, signal: AbortSignal): SedimentError {
  return new SedimentError("aborted", `${functionName} was stopped`, { cause: signal.reason });
}
