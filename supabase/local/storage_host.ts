/** Mounts the Storage API stand-in behind the gateway. */
import { resolveCredentials } from "./gateway/credentials.ts";
import type { Tokens } from "./gateway/tokens.ts";
import type { StackKeys } from "./state/keys.ts";
import { openStorageStandIn, type StorageStandIn } from "./storage/server.ts";

/**
 * @param root folder of the bytes
 * @param databaseUrl of the role supabase_storage_admin
 * @param url of the gateway, for signed URLs
 */
export function mountStorage(
  { root, databaseUrl, keys, tokens, url }: {
    root: string;
    databaseUrl: string;
    keys: StackKeys;
    tokens: Tokens;
    url: string;
  },
): Promise<StorageStandIn> {
  return openStorageStandIn({
    root,
    databaseUrl,
    signingSecret: keys.storageSecret,
    publicUrl: `${url}/storage/v1`,
    async authorize(request) {
      const who = await resolveCredentials(request, keys, tokens, false);
      if (who.kind !== "ok" || who.role === "none") return null;
      return { role: who.role, sub: who.sub, claims: who.claims };
    },
  });
}
