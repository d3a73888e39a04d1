/** Mounts the Storage API stand-in behind the gateway. */
import { createHmac } from "node:crypto";
import { resolveCredentials } from "./gateway/credentials.ts";
import type { Tokens } from "./gateway/tokens.ts";
import type { StackKeys } from "./state/keys.ts";
import type { S3Settings } from "./storage/s3/s3_caller.ts";
import { openStorageStandIn, type StorageStandIn } from "./storage/server.ts";

/** The S3 side of a stack; its keys follow from one that is kept. */
export function s3SettingsOf(keys: StackKeys): S3Settings {
  const derive = (purpose: string, length: number) =>
    createHmac("sha256", keys.storageSecret).update(purpose).digest("hex").slice(0, length);
  return {
    accessKeyId: derive("S3 access key id", 32),
    secretAccessKey: derive("S3 secret access key", 64),
    projectRef: "sediment",
    publishableKey: keys.publishable,
    region: "local",
  };
}

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
    s3: s3SettingsOf(keys),
    async authorize(request) {
      const who = await resolveCredentials(request, keys, tokens, false);
      if (who.kind !== "ok" || who.role === "none") return null;
      return { role: who.role, sub: who.sub, claims: who.claims };
    },
  });
}
