/** The functions' apps over fakes of catalog and store, with users whose tokens are real. */
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import type { Catalog } from "../../shared/catalog/catalog.ts";
import { readEnv } from "../../shared/env.ts";
import { createAuthenticator, type ServiceAct } from "../../shared/http/authenticate.ts";
import { issuersOf } from "../../shared/http/user_claims.ts";
import { createTokenSigner, deriveTokenKey } from "../../shared/http/signed_token.ts";
import type { LogLine } from "../../shared/log.ts";
import { createKeyGuard } from "../../shared/http/key_guard.ts";
import type { KeyUsers } from "../../shared/keys/ports.ts";
import { createWorkShares } from "../../shared/work_shares.ts";
import { createObjectLimit } from "../../shared/catalog/object_limit.ts";
import { createMemoryStore, type MemoryStoreOptions } from "./memory_store.ts";
import type { Services } from "../../functions/services.ts";
import { createFakeCatalog, type FakeCatalogOptions } from "./fake_catalog.ts";

/** Two users and a service. */
export const alice = "00000000-0000-4000-8000-00000000a11c";
export const bob = "00000000-0000-4000-8000-000000000b0b";
export const secretKey = "sb_secret_default_0123456789";
export const cronKey = "sb_secret_cron_0123456789";
export const publishableKey = "sb_publishable_0123456789";

const keys = await generateKeyPair("ES256", { extractable: true });
const jwks = {
  keys: [{ ...await exportJWK(keys.publicKey), kid: "k1", alg: "ES256", use: "sig" }],
};

/** An access token as Supabase Auth signs them. */
export async function tokenOf(
  userId: string,
  some: {
    expiresInSeconds?: number;
    key?: CryptoKey;
    kid?: string;
    /** Replaces claims; undefined takes one out. */
    claims?: Record<string, unknown>;
  } = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return await new SignJWT({
    role: "authenticated",
    sub: userId,
    aud: "authenticated",
    iss: "https://project.example/auth/v1",
    iat: now - 10,
    exp: now + (some.expiresInSeconds ?? 3600),
    ...some.claims,
  })
    .setProtectedHeader({ alg: "ES256", kid: some.kid ?? "k1" })
    .sign(some.key ?? keys.privateKey);
}

/** What a world may be made of. */
export interface HttpWorldOptions {
  env?: Record<string, string>;
  catalog?: FakeCatalogOptions;
  store?: MemoryStoreOptions;
  /** Auth, as read-only keys need it. @default it does not answer */
  keyUsers?: KeyUsers;
  now?: () => Date;
  /** Where it is told that a service acts. @default nowhere */
  log?: (line: ServiceAct) => void;
}

const noAuth = () => Promise.reject(new Error("there is no Auth here"));
const noKeyUsers: KeyUsers = { create: noAuth, openSession: noAuth, remove: noAuth };

/** Fakes, and services that use them. */
export function httpWorld(options: HttpWorldOptions = {}) {
  const env = readEnv({
    SUPABASE_URL: "http://inside.local:8000",
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: secretKey, cron: cronKey }),
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: publishableKey }),
    SUPABASE_JWKS: JSON.stringify(jwks),
    PUBLIC_URL: "https://public.example",
    ...options.env,
  });
  const catalog = createFakeCatalog(options.catalog);
  const store = createMemoryStore(options.store);
  const lines: LogLine[] = [];
  const services: Services = {
    env,
    auth: createAuthenticator({
      supabaseUrl: env.SUPABASE_URL,
      secretKeys: env.secretKeys,
      publishableKeys: env.publishableKeys,
      jwks: env.SUPABASE_JWKS!,
      issuers: issuersOf("https://project.example"),
      actingKeys: env.SEDIMENT_ACTING_KEYS,
      log: options.log ?? (() => {}),
    }),
    tokens: createTokenSigner(deriveTokenKey(env.secretKey)),
    catalog: catalog as unknown as Catalog,
    store,
    objectLimit: createObjectLimit(catalog as unknown as Catalog, "sediment"),
    log: (line) => lines.push(line),
    answered: () => Promise.resolve(),
    shares: createWorkShares(),
    keyUsers: options.keyUsers ?? noKeyUsers,
    keyGuard: createKeyGuard(),
    now: options.now ?? (() => new Date()),
    close: () => Promise.resolve(),
  };
  return { services, catalog, store, lines };
}

/** Sends a request to an app without a network. */
export async function send(
  app: { fetch(request: Request): Response | Promise<Response> },
  method: string,
  path: string,
  init: { headers?: Record<string, string>; body?: BodyInit; json?: unknown } = {},
  // deno-lint-ignore no-explicit-any -- whatever JSON the answer holds
): Promise<{ status: number; headers: Headers; body: any; bytes: Uint8Array<ArrayBuffer> }> {
  const headers = new Headers(init.headers);
  if (init.json !== undefined) headers.set("content-type", "application/json");
  const url = path.startsWith("http") ? path : `http://edge.local${path}`;
  const response = await app.fetch(
    new Request(url, {
      method,
      headers,
      body: init.json === undefined ? init.body : JSON.stringify(init.json),
    }),
  );
  const bytes = new Uint8Array(await response.arrayBuffer());
  const isJson = response.headers.get("content-type")?.includes("json");
  return {
    status: response.status,
    headers: response.headers,
    body: isJson && bytes.length > 0 ? JSON.parse(new TextDecoder().decode(bytes)) : undefined,
    bytes,
  };
}
