/** The composition of the functions: environment in, ports and helpers out. Only here are adapters named. */
import { createClient } from "@supabase/supabase-js";
import { type Catalog, createCatalog } from "../shared/catalog/catalog.ts";
import { connectCatalog, type ConnectedCatalog } from "../shared/catalog/connect_catalog.ts";
import { groupUploads } from "../shared/catalog/group_uploads.ts";
import { requireSchema } from "../shared/catalog/require_schema.ts";
import { type Env, readEnv } from "../shared/env.ts";
import { SedimentError } from "../shared/errors.ts";
import { createKeyUsers } from "../shared/auth/key_users.ts";
import { createAuthenticator } from "../shared/http/authenticate.ts";
import { issuersOf } from "../shared/http/user_claims.ts";
import { createRateLimit } from "../shared/http/rate_limit.ts";
import { createTokenSigner, deriveTokenKey } from "../shared/http/signed_token.ts";
import { createKeyGuard } from "../shared/http/key_guard.ts";
import { logOf } from "../shared/log.ts";
import { boundStore } from "../shared/storage/bound_store.ts";
import { createObjectLimit } from "../shared/catalog/object_limit.ts";
import type { ObjectStore } from "../shared/storage/object_store.ts";
import { createS3Store } from "../shared/storage/s3_store.ts";
import { createSupabaseStore } from "../shared/storage/supabase_store.ts";
import { createWorkShares } from "../shared/work_shares.ts";
import { createProblemCounter } from "../shared/metrics/problem_counter.ts";
import { createTraces, type RequestSpan } from "../shared/traces/otlp_traces.ts";
import { version } from "../shared/version.ts";
import { afterAnswer, inBackground } from "./in_background.ts";
import type { Services } from "./services.ts";

/** Ports that tests give in place of the real ones. */
export type ReplacedPorts = Partial<Pick<Services, "catalog" | "store" | "now" | "keyUsers">>;

/**
 * Builds the services of an environment.
 *
 * @param parts ports that replace the real ones
 * @throws SedimentError `misconfigured`
 */
export function createServices(
  variables: Record<string, string | undefined>,
  parts: ReplacedPorts = {},
): Services {
  const env = readEnv(variables);
  const shares = createWorkShares({ share: env.SEDIMENT_WORK_MS_PER_SECOND / 1000 });
  const tokenKey = env.SEDIMENT_TOKEN_KEY ?? deriveTokenKey(env.secretKey);
  const { catalog, close } = parts.catalog ? kept(parts.catalog) : openCatalog(env);
  const problems = createProblemCounter({
    tell: (counts, signal) => catalog.countProblems({ counts }, { signal }),
  });
  return {
    env,
    auth: createAuthenticator({
      supabaseUrl: env.SUPABASE_URL,
      secretKeys: env.secretKeys,
      publishableKeys: env.publishableKeys,
      jwks: env.SUPABASE_JWKS ??
        new URL(env.SUPABASE_JWKS_URL ?? `${env.SUPABASE_URL}/auth/v1/.well-known/jwks.json`),
      issuers: issuersOf(env.SUPABASE_URL, env.SEDIMENT_JWT_ISSUERS),
      actingKeys: env.SEDIMENT_ACTING_KEYS,
      reads: createRateLimit({ name: "reads", perMinute: env.SEDIMENT_READS_PER_MINUTE }),
      shares,
    }),
    tokens: createTokenSigner(
      tokenKey,
      ...env.SEDIMENT_TOKEN_KEY_PREVIOUS === undefined ? [] : [env.SEDIMENT_TOKEN_KEY_PREVIOUS],
    ),
    catalog,
    store: boundStore(parts.store ?? createStore(env)),
    objectLimit: createObjectLimit(
      catalog,
      env.SEDIMENT_STORE === "supabase" ? env.SEDIMENT_BUCKET : null,
    ),
    shares,
    keyUsers: parts.keyUsers ?? createKeyUsers({
      url: env.SUPABASE_URL,
      secretKey: env.secretKey,
      passwordKey: tokenKey,
    }),
    keyGuard: createKeyGuard(),
    log: logOf(env.SEDIMENT_LOG_LEVEL),
    traced: tracedOf(env),
    answered: (code) => inBackground(problems.count(code)),
    now: parts.now ?? (() => new Date()),
    close,
  };
}

/**
 * Uploads that come together go together, whichever way the catalog is reached; nothing comes to one that is older
 * than this code.
 */
function openCatalog(env: Env): ConnectedCatalog {
  if (env.SEDIMENT_DATABASE_URL !== undefined) {
    const { catalog, close } = connectCatalog(env.SEDIMENT_DATABASE_URL);
    return { catalog: requireSchema(groupUploads(catalog, { mixed: false })), close };
  }
  const client = createClient(env.SUPABASE_URL, env.secretKey, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
  });
  return kept(requireSchema(groupUploads(createCatalog(client))));
}

/** A catalog that holds no connection of its own. */
function kept(catalog: Catalog): ConnectedCatalog {
  return { catalog, close: () => Promise.resolve() };
}

function createStore(env: Env): ObjectStore {
  if (env.SEDIMENT_STORE === "supabase") {
    return createSupabaseStore({
      url: env.SUPABASE_URL,
      secretKey: env.secretKey,
      bucket: env.SEDIMENT_BUCKET,
    });
  }
  return createS3Store({
    endpoint: needed(env, "SEDIMENT_S3_ENDPOINT"),
    region: env.SEDIMENT_S3_REGION,
    bucket: env.SEDIMENT_BUCKET,
    accessKeyId: needed(env, "SEDIMENT_S3_ACCESS_KEY_ID"),
    secretAccessKey: needed(env, "SEDIMENT_S3_SECRET_ACCESS_KEY"),
    copiesParts: env.SEDIMENT_S3_PART_COPY,
  });
}

function needed(
  env: Env,
  name: "SEDIMENT_S3_ENDPOINT" | "SEDIMENT_S3_ACCESS_KEY_ID" | "SEDIMENT_S3_SECRET_ACCESS_KEY",
): string {
  const value = env[name];
  if (value !== undefined) return value;
  throw new SedimentError("misconfigured", `SEDIMENT_STORE is s3 and ${name} is missing`, {
    field: name,
  });
}

/** What tells a collector of requests, where there is one. */
function tracedOf(env: Env): ((span: RequestSpan) => void) | undefined {
  if (env.SEDIMENT_OTLP_ENDPOINT === undefined) return undefined;
  const headers = Object.fromEntries(
    (env.SEDIMENT_OTLP_HEADERS_KEY ?? "").split(",").filter((one) => one !== "")
      .map((one) => [one.slice(0, one.indexOf("=")), one.slice(one.indexOf("=") + 1)]),
  );
  const send = createTraces({ endpoint: env.SEDIMENT_OTLP_ENDPOINT, headers, version });
  return (span) => afterAnswer(send(span));
}
