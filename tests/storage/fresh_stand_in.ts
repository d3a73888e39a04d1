/** A stand-in with a database of its own; for test modules. */
import type { StorageStandInOptions } from "../../supabase/local/storage/server.ts";
import { type ServedStandIn, serveStandIn } from "./serve_stand_in.ts";
import { createStandInDatabase } from "./stand_in_database.ts";

/** Serves a stand-in with one private bucket, `sediment`, and nothing in it. */
export async function freshStandIn(
  options: Partial<StorageStandInOptions> = {},
): Promise<ServedStandIn & { dbUrl: string }> {
  const urlOf = await createStandInDatabase();
  const standIn = await serveStandIn({ databaseUrl: urlOf("supabase_storage_admin"), ...options });
  return { ...standIn, dbUrl: urlOf("postgres") };
}
