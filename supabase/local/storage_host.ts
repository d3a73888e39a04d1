/** Mounts the Storage API stand-in behind the gateway. */
import type { Sql } from "postgres";
import { resolveCredentials } from "./gateway/credentials.ts";
import type { Service } from "./gateway/gateway.ts";
import type { Tokens } from "./gateway/tokens.ts";
import type { StackKeys } from "./state/keys.ts";
import { createStorageStandIn } from "./storage/server.ts";

/**
 * @param root folder of the bytes
 * @param sql superuser connection: buckets are rows that migrations insert
 * @param url of the gateway, for signed URLs
 */
export function mountStorage(
  { root, sql, keys, tokens, url }: {
    root: string;
    sql: Sql;
    keys: StackKeys;
    tokens: Tokens;
    url: string;
  },
): Service {
  return createStorageStandIn({
    root,
    sql,
    signingSecret: keys.storageSecret,
    publicUrl: `${url}/storage/v1`,
    async authorize(request) {
      const who = await resolveCredentials(request, keys, tokens, false);
      return who.kind === "ok" && who.role !== "none" ? { role: who.role, sub: who.sub } : null;
    },
  });
}
