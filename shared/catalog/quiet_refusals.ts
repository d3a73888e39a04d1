/**
 * Refusals as answers. What a caller did wrong is no error of the database's, and raised it would be a line in its log:
 * somebody who is refused a thousand times a minute would hide what went wrong.
 */
import type { CatalogTransport } from "./catalog_methods.ts";
import { sqlError, type SqlErrorFields } from "./sql_error.ts";

/** The functions that call another one so: the second for those whose heads give them longer than others. */
export const quietCall = "call_quietly", longQuietCall = "call_long_quietly";

/** Functions that work for longer where a user asks for much. */
const longOnes: ReadonlySet<string> = new Set([
  "redrive_dead_letters",
  "request_compaction",
  "retry_quarantined",
]);

/** What else users' requests lead to. */
const quiet = new Set([
  "stage_upload",
  "commit_upload",
  "abandon_upload",
  "get_upload",
  "list_files",
  "get_file",
  "version_at",
  "run_status",
  "list_dead_letters",
  "stage_asset",
  "commit_asset",
  "list_assets",
  "get_asset",
  "get_asset_upload",
  "list_tables",
  "delete_data",
  "delete_upload",
  "delete_user",
  "deletion_status",
  "invite_member",
  "accept_invitation",
  "list_members",
  "remove_member",
  "revoke_invitation",
  "rename_table",
  "stage_key",
  "commit_key",
  "list_keys",
  "revoke_key",
  "open_key",
]);

/** The same transport; the errors are those that the functions raise. */
export function quietRefusals(transport: CatalogTransport): CatalogTransport {
  return async (functionName, args, options) => {
    const isLong = longOnes.has(functionName);
    if (!isLong && !quiet.has(functionName)) return await transport(functionName, args, options);
    const outcome = await transport(isLong ? longQuietCall : quietCall, {
      p_function: functionName,
      p_args: args,
    }, options) as { answer: unknown } | { error: SqlErrorFields };
    if ("error" in outcome) throw sqlError(outcome.error, functionName);
    return outcome.answer;
  };
}
