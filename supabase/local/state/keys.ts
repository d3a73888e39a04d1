/**
 * The key material of one state folder: made at the first start, kept in `keys.json` (0600), so that clients,
 * tokens and database URLs stay valid over restarts.
 */
import { exportJWK, generateKeyPair, type JWK } from "jose";
import { join } from "node:path";

export interface StackKeys {
  /** `sb_publishable_…`: what apps send; role anon. */
  publishable: string;
  /** `sb_secret_…`, named `default`: role service_role. */
  secret: string;
  /** `sb_secret_…`, named `cron`: what the cron jobs send. */
  cron: string;
  /** The private ES256 key that signs users' tokens, with its `kid`. */
  signing: JWK;
  /** HS256 secret between the gateway, PostgREST and auth; never leaves the process and its children. */
  internalSecret: string;
  /** Signs the URLs and upload tokens of the Storage stand-in. */
  storageSecret: string;
  /** Password of each database role that logs in. */
  passwords: Record<DatabaseLogin, string>;
}

export const databaseLogins = [
  "supabase_admin",
  "postgres",
  "authenticator",
  "supabase_auth_admin",
  "supabase_storage_admin",
] as const;
export type DatabaseLogin = typeof databaseLogins[number];

/** Reads the keys of a state folder, or makes and keeps them. */
export async function loadKeys(stateDir: string): Promise<StackKeys> {
  const path = join(stateDir, "keys.json");
  try {
    return JSON.parse(await Deno.readTextFile(path)) as StackKeys;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const keys = await makeKeys();
  // Written whole or not at all: a half-written file would strand the database behind lost passwords.
  const draft = `${path}.new`;
  await Deno.writeTextFile(draft, JSON.stringify(keys, null, 2), { mode: 0o600 });
  await Deno.rename(draft, path);
  return keys;
}

async function makeKeys(): Promise<StackKeys> {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const kid = crypto.randomUUID();
  return {
    publishable: `sb_publishable_${random(22)}_${random(8)}`,
    secret: `sb_secret_${random(22)}_${random(8)}`,
    cron: `sb_secret_${random(22)}_${random(8)}`,
    signing: { ...await exportJWK(privateKey), kid, alg: "ES256", use: "sig" },
    internalSecret: random(48),
    storageSecret: random(48),
    passwords: Object.fromEntries(
      databaseLogins.map((login) => [login, random(24)]),
    ) as StackKeys["passwords"],
  };
}

/** Letters and digits only: safe in URLs, headers and shells. */
function random(length: number): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  let word = "";
  while (word.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(length))) {
      // 248 = 4 × 62: bytes above would favour the first letters.
      if (byte < 248 && word.length < length) word += alphabet[byte % 62];
    }
  }
  return word;
}
