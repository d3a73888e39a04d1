/** Who calls: a user by JWT, or a service by secret key. @supabase/server does the verifying. */
import { verifyCredentials } from "@supabase/server/core";
import * as z from "zod";
import { SedimentError } from "../errors.ts";
import type { RateLimit } from "./rate_limit.ts";
import type { WorkShares } from "../work_shares.ts";
import { jsonWorkMs } from "./read_json.ts";
import { requestIdOf } from "./request_id.ts";
import { createTokenCache } from "./token_cache.ts";
import { checkClaims, type Issuers } from "./user_claims.ts";

/** A caller whose credentials were verified. */
export type Caller =
  | { kind: "user"; userId: string }
  /** Holds a secret key; `onBehalfOf` is the user that it named in `x-sediment-user`, if any. */
  | { kind: "service"; keyName: string; onBehalfOf: string | null; requestId: string };

/** Header in which a service names the user for whom it acts. */
const onBehalfHeader = "x-sediment-user";

/** What {@link createAuthenticator} needs. */
export interface AuthSettings {
  supabaseUrl: string;
  secretKeys: Record<string, string>;
  publishableKeys: Record<string, string>;
  /** The public keys of user JWTs, or where to fetch them. */
  jwks: { keys: Record<string, unknown>[] } | URL;
  issuers: Issuers;
  /** Names of the secret keys whose holders may read and act for users; those of others open service routes only. */
  actingKeys: readonly string[];
  /** How often a user may read. @default without end */
  reads?: RateLimit;
  /** Where what is no read waits for its user's share of the isolate. @default nowhere */
  shares?: Pick<WorkShares, "admit" | "come">;
  /** Where it is told that a service reached for a user's data. @default the console */
  log?(line: ServiceAct): void;
}

/** A line of the log: a service that reads or acts for a user, or reads for nobody in particular. */
export interface ServiceAct {
  level: "info";
  event: "service_acts";
  key: string;
  user: string | null;
  method: string;
  path: string;
  request_id: string;
}

/** Verifies the credentials of requests. */
export interface Authenticator {
  /**
   * A user by JWT, or a service by a secret key that may act for users, which is logged.
   *
   * @throws SedimentError `unauthenticated`, `forbidden` for a key that opens service routes only, `invalid_request` for
   *   a bad `x-sediment-user`, `rate_limited` for a user who reads too often or has taken too much, `misconfigured`
   */
  userOrService(request: Request): Promise<Caller>;
  /** A service only; `unauthenticated` without credentials, `forbidden` for a user. */
  service(request: Request): Promise<Caller & { kind: "service" }>;
}

const uuid = z.guid();

/** An authenticator of one project's keys. */
export function createAuthenticator(settings: AuthSettings): Authenticator {
  const env = {
    url: settings.supabaseUrl,
    secretKeys: settings.secretKeys,
    publishableKeys: settings.publishableKeys,
    // deno-lint-ignore no-explicit-any -- jose's JSONWebKeySet, which is not ours to import
    jwks: settings.jwks as any,
  };

  const known = createTokenCache();
  const publishable = new Set(Object.values(settings.publishableKeys));
  const noSigningKeys = !(settings.jwks instanceof URL) && settings.jwks.keys.length === 0;

  async function verify(request: Request): Promise<Caller> {
    const token = bearerToken(request.headers);
    const apikey = request.headers.get("apikey");
    // A key that may be secret goes first, whatever token is beside it.
    if (apikey === null || publishable.has(apikey)) {
      const remembered = known.get(token ?? "");
      if (remembered !== undefined) return { kind: "user", userId: remembered };
    }
    // The secret before the user: platforms add an Authorization of their own beside a service's key, and a token
    // that can't be verified ends the search.
    const { data, error } = await verifyCredentials({ token, apikey }, {
      auth: ["secret:*", "user"],
      env,
    });
    if (error !== null && noSigningKeys && token !== null && !token.startsWith("sb_")) {
      throw new SedimentError("unauthenticated", "No signing key of users' tokens is known here", {
        field: "authorization",
        expected: "a secret key in `apikey`, or SUPABASE_JWKS to hold the project's keys",
        extra: { reason: "no_signing_keys" },
        cause: error,
      });
    }
    if (error !== null) throw refusal(error);
    if (data.authMode === "user") {
      const userId = data.userClaims?.id ?? "";
      if (!uuid.safeParse(userId).success) {
        throw new SedimentError("unauthenticated", "The token's subject is not a user id", {
          field: "authorization",
          expected: "a Supabase user's access token",
        });
      }
      checkClaims(data.jwtClaims ?? {}, settings.issuers);
      known.set(token ?? "", userId, data.jwtClaims?.exp);
      return { kind: "user", userId };
    }
    const named = request.headers.get(onBehalfHeader);
    if (named !== null && !uuid.safeParse(named).success) {
      throw new SedimentError("invalid_request", `\`${onBehalfHeader}\` is not a user id`, {
        field: onBehalfHeader,
        expected: "a UUID",
      });
    }
    return {
      kind: "service",
      keyName: data.keyName ?? "default",
      onBehalfOf: named?.toLowerCase() ?? null,
      requestId: requestIdOf(request.headers),
    };
  }

  return {
    async userOrService(request) {
      const caller = await verify(request);
      if (caller.kind === "user") {
        if (isRead(request)) {
          settings.shares?.come(caller.userId);
          await settings.reads?.spend(caller.userId);
        } else await settings.shares?.admit(caller.userId, request.signal, jsonWorkMs(request));
        return caller;
      }
      const { keyName, onBehalfOf } = caller;
      if (!settings.actingKeys.includes(keyName)) {
        throw new SedimentError("forbidden", `The key "${keyName}" opens service routes only`, {
          field: "apikey",
          expected: "a key that may act for users: SEDIMENT_ACTING_KEYS names them",
        });
      }
      (settings.log ?? logToConsole)({
        level: "info",
        event: "service_acts",
        key: keyName,
        user: onBehalfOf,
        method: request.method,
        path: new URL(request.url).pathname,
        request_id: caller.requestId,
      });
      return caller;
    },
    async service(request) {
      const caller = await verify(request);
      if (caller.kind !== "service") {
        throw new SedimentError("forbidden", "This route is for services", {
          field: "apikey",
          expected: "a secret key",
        });
      }
      return caller;
    },
  };
}

/** The token of `Authorization: Bearer …`, whose scheme is written in any case (RFC 9110 section 11.1). */
export function bearerToken(headers: Headers): string | null {
  return /^bearer +(\S+)\s*$/i.exec(headers.get("authorization") ?? "")?.[1] ?? null;
}

function isRead({ method }: Request): boolean {
  return method === "GET" || method === "HEAD";
}

function logToConsole(line: object): void {
  console.info(JSON.stringify(line));
}

/**
 * The user for whom a call acts.
 *
 * @param field the user that a service named in the body, where the route has such a field
 * @throws SedimentError `invalid_request` when a service names none, `forbidden` when a user names another
 */
export function actingUser(caller: Caller, field?: string): string {
  if (caller.kind === "user") {
    if (field !== undefined && field.toLowerCase() !== caller.userId) {
      throw new SedimentError("forbidden", "A user acts for nobody else", {
        field: "user_id",
        expected: "your own id, or nothing",
      });
    }
    return caller.userId;
  }
  const userId = field?.toLowerCase() ?? caller.onBehalfOf;
  if (field !== undefined) {
    // the header's user is logged already; the body was not read then
    const { keyName: key, requestId: request_id } = caller;
    logToConsole({ level: "info", event: "service_acts", key, user: userId, request_id });
  }
  if (userId === null) {
    throw new SedimentError("invalid_request", "A service has to say for whom it acts", {
      field: onBehalfHeader,
      expected: `a user's id in \`${onBehalfHeader}\` or in \`user_id\``,
    });
  }
  return userId;
}

/** The user whose data a read is limited to; null when a service reads for nobody in particular. */
export function readingUser(caller: Caller): string | null {
  return caller.kind === "user" ? caller.userId : caller.onBehalfOf;
}

function refusal(error: { code: string; status: number; message: string }): SedimentError {
  const reason = error.message.split("\n")[0]!.slice(0, 300);
  if (error.status >= 500) {
    return new SedimentError("misconfigured", reason, { cause: error });
  }
  return new SedimentError("unauthenticated", reason, {
    field: "authorization",
    expected: "a user's access token as Bearer, or a secret key in `apikey`",
    extra: { reason: error.code.toLowerCase() },
  });
}
