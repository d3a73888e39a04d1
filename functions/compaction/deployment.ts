/**
 * `/compaction/deployment`: what the functions have for a deployment, told to a service. `deno task doctor` reads it, and
 * the database's ping of it shows whether Vault's URL and key lead here.
 */
import { build } from "../../shared/build.ts";
import { version } from "../../shared/version.ts";
import { variablesOf } from "../../shared/env.ts";
import { missingModules } from "../../shared/wasm/missing_modules.ts";
import { asSedimentError } from "../../shared/errors.ts";
import type { DeploymentAnswer } from "../../shared/protocol/deployment.ts";
import { baseUrl, clientUrl, type Services } from "../services.ts";

/** Tells of the deployment. */
export async function serveDeployment(services: Services, request: Request): Promise<Response> {
  const caller = await services.auth.service(request);
  const { env, store } = services;
  const [modules, signingKeys] = await Promise.all([
    missingModules(store).then(
      (missing) => ({ missing, fault: null }),
      (thrown) => ({ missing: null, fault: asSedimentError(thrown).message }),
    ),
    findSigningKeys(services),
  ]);
  const answer: DeploymentAnswer = {
    service: "sediment",
    version,
    build,
    now: services.now().toISOString(),
    runtime: { deno: Deno.version.deno, edge: "EdgeRuntime" in globalThis },
    asked_with: caller.keyName,
    variables: variablesOf(env),
    secret_key_names: Object.keys(env.secretKeys),
    publishable_key_names: Object.keys(env.publishableKeys),
    signing_keys: signingKeys,
    urls: {
      functions: baseUrl(services, request),
      storage: clientUrl(services, request, `${env.SUPABASE_URL}/storage/v1/`),
    },
    store: { kind: env.SEDIMENT_STORE, bucket: env.SEDIMENT_BUCKET, fault: modules.fault },
    missing_wasm: modules.missing,
    limits: {
      max_body_bytes: env.SEDIMENT_MAX_BODY_BYTES,
      max_direct_bytes: env.SEDIMENT_MAX_DIRECT_BYTES,
    },
  };
  return Response.json(answer, { headers: { "cache-control": "no-store" } });
}

async function findSigningKeys({ env }: Services): Promise<DeploymentAnswer["signing_keys"]> {
  if (env.SUPABASE_JWKS !== undefined) {
    return { source: "SUPABASE_JWKS", ...told(env.SUPABASE_JWKS.keys) };
  }
  const url = env.SUPABASE_JWKS_URL ?? `${env.SUPABASE_URL}/auth/v1/.well-known/jwks.json`;
  const source = env.SUPABASE_JWKS_URL === undefined ? "Auth" : "SUPABASE_JWKS_URL";
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    const { keys } = await response.json();
    return Array.isArray(keys) ? { source, ...told(keys) } : { source, count: null };
  } catch {
    return { source, count: null };
  }
}

function told(keys: Record<string, unknown>[]): { count: number; kids: string[] } {
  const kids = keys.map(({ kid }) => kid).filter((kid) => typeof kid === "string");
  return { count: keys.length, kids };
}
