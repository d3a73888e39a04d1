/**
 * Refusals as answers. What a caller did wrong, or that a worker comes after its lease, is no error of the database's, and
 * raised it would be a line in its log: somebody who is refused a thousand times a minute would hide what went wrong.
 */
import type { CatalogTransport } from "./catalog_methods.ts";
import { sqlError, type SqlErrorFields } from "./sql_error.ts";

/** The functions that call another one so: the second for those whose heads give them longer than others. */
export const quietCall = "call_quietly", longQuietCall = "call_long_quietly";

/** Functions that work for longer where a user asks for much: their heads give them a time. */
export const longOnes: ReadonlySet<string> = new Set([
  "redrive_dead_letters",
  "request_compaction",
  "retry_quarantined",
]);

/**
 * Whether a call may be refused by no fault of ours: users' requests lead to it (services make the same ones, for nobody
 * in particular), or it is one of who holds a lease, which may be another's by then.
 */
function mayBeRefused(functionName: string, args: Record<string, unknown>): boolean {
  return "p_user" in args || "p_token" in args || functionName === "open_key";
}

/** The same transport; the errors are those that the functions raise. */
export function quietRefusals(transport: CatalogTransport): CatalogTransport {
  return async (functionName, args, options) => {
    if (!mayBeRefused(functionName, args)) return await transport(functionName, args, options);
    const caller = longOnes.has(functionName) ? longQuietCall : quietCall;
    const outcome = await transport(caller, {
      p_function: functionName,
      p_args: args,
    }, options) as { answer: unknown } | { error: SqlErrorFields };
    if ("error" in outcome) throw sqlError(outcome.error, functionName);
    return outcome.answer;
  };
}
