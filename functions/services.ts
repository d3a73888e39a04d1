/** What the functions' handlers are given, and the few things that follow from it. */
import type { Catalog } from "../shared/catalog/catalog.ts";
import type { Env } from "../shared/env.ts";
import type { Authenticator, Caller } from "../shared/http/authenticate.ts";
import {
  moveStorageUrl,
  publicBase,
  type PublicUrlSettings,
  storageBase,
} from "../shared/http/public_url.ts";
import type { BodyLimits } from "../shared/http/read_body.ts";
import type { TokenSigner } from "../shared/http/signed_token.ts";
import type { Log } from "../shared/log.ts";
import type { KeyGuard, KeyUsers } from "../shared/keys/ports.ts";
import type { RequestSpan } from "../shared/traces/otlp_traces.ts";
import type { WorkShares } from "../shared/work_shares.ts";
import type { ObjectLimit } from "../shared/catalog/object_limit.ts";
import type { ObjectStore } from "../shared/storage/object_store.ts";
import { bodyWorkMs } from "../shared/uploads/work_price.ts";

/** Everything that handlers need. `create_services.ts` builds it from the environment. */
export interface Services {
  env: Env;
  auth: Authenticator;
  tokens: TokenSigner;
  catalog: Catalog;
  store: ObjectStore;
  /** What the store takes as one object. */
  objectLimit: ObjectLimit;
  /** What users' uploads may cost each other in this isolate. */
  shares: WorkShares;
  /** The users of read-only keys, in Auth. */
  keyUsers: KeyUsers;
  /** What strangers may ask of keys. */
  keyGuard: KeyGuard;
  log: Log;
  /** Is told each problem that is answered. */
  answered(code: string): Promise<void>;
  /** Is told each request that was answered. @default nobody is */
  traced?(span: RequestSpan): void;
  now(): Date;
  /** Closes what is connected. Processes that end need it, isolates don't. */
  close(): Promise<void>;
}

/** The bounds of a body that passes through a function. */
export function bodyLimits(env: Env): BodyLimits {
  return {
    maxBytes: env.SEDIMENT_MAX_BODY_BYTES,
    stallMs: env.SEDIMENT_BODY_STALL_MS,
    deadlineMs: env.SEDIMENT_BODY_DEADLINE_MS,
  };
}

/** The same for what a user sends: while others use the isolate, it is read no faster than the user's share allows. */
export function pacedBody(
  { env, shares }: Pick<Services, "env" | "shares">,
  user: string,
): BodyLimits {
  return { ...bodyLimits(env), pace: (bytes) => shares.pace(user, bodyWorkMs(bytes)) };
}

/** The same by who sends: what services send is not held back. */
export function bodyOf(services: Services, caller: Caller): BodyLimits {
  return caller.kind === "user" ? pacedBody(services, caller.userId) : bodyLimits(services.env);
}

/** The URL below which clients find the functions. */
export function baseUrl({ env }: Services, request: Request): string {
  return publicBase(request, publicUrlSettings(env));
}

/** A store's URL as clients can reach it. A presigned one of S3 stays: its host is part of what is signed. */
export function clientUrl(services: Services, request: Request, url: string): string {
  const { env } = services;
  if (env.SEDIMENT_STORE !== "supabase") return url;
  return moveStorageUrl(url, env.SUPABASE_URL, storageUrl(services, request));
}

/** The URL of the Storage API as clients can reach it. */
export function storageUrl({ env }: Services, request: Request): string {
  return storageBase(request, publicUrlSettings(env));
}

function publicUrlSettings(env: Env): PublicUrlSettings {
  return {
    publicUrl: env.PUBLIC_URL,
    supabasePublicUrl: env.SUPABASE_PUBLIC_URL,
    supabaseUrl: env.SUPABASE_URL,
    storagePublicUrl: env.SEDIMENT_STORAGE_PUBLIC_URL,
    edge: "EdgeRuntime" in globalThis,
    trustForwarded: env.SEDIMENT_TRUST_FORWARDED,
  };
}
