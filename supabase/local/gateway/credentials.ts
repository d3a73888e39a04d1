import { decodeJwt, type JWTPayload } from "jose";
import type { StackKeys } from "../state/keys.ts";
import { type ApiRole, isExpired, looksLikeJwt, type Tokens } from "./tokens.ts";

/** What a request's headers amount to. */
export type Credentials =
  | {
    kind: "ok";
    role: ApiRole | "authenticated" | "none";
    sub?: string;
    /** Of a user's token. */
    claims?: JWTPayload;
    authorization?: string;
  }
  | { kind: "refused"; response: Response };

/** Role of an API key, or undefined when it is none of ours. */
function roleOfKey(keys: StackKeys, key: string): ApiRole | undefined {
  if (key === keys.publishable) return "anon";
  if (key === keys.secret || key === keys.cron) return "service_role";
  return undefined;
}

/**
 * Resolves `apikey` (header or query) and `Authorization` as the hosted gateway does: a user's token goes
 * before the key, a key alone (also as Bearer) becomes its role, an unknown key or token is refused.
 *
 * @param needKey whether a request without any key is refused (Storage's signed URLs come without one)
 * @returns the Authorization for the service behind, with an inside token
 */
export async function resolveCredentials(
  request: Request,
  keys: StackKeys,
  tokens: Tokens,
  needKey: boolean,
): Promise<Credentials> {
  const apikey = request.headers.get("apikey") ?? new URL(request.url).searchParams.get("apikey");
  const bearer = request.headers.get("authorization")?.match(/^Bearer\s+(\S+)$/i)?.[1];
  if (!apikey && needKey) {
    return refuse(401, {
      message: "No API key found in request",
      hint: "No `apikey` request header or url param was found.",
    });
  }
  const keyRole = apikey ? roleOfKey(keys, apikey) : undefined;
  if (apikey && !keyRole) {
    return refuse(401, { message: "Invalid API key", hint: "Double check your API key." });
  }
  if (bearer && looksLikeJwt(bearer)) {
    try {
      const token = await tokens.toInternal(bearer);
      const claims = decodeJwt(token);
      const { sub, role } = claims;
      return {
        kind: "ok",
        role: role === "service_role" || role === "anon" ? role : "authenticated",
        sub,
        claims,
        authorization: `Bearer ${token}`,
      };
    } catch (error) {
      const message = isExpired(error) ? "JWT expired" : "JWSError JWSInvalidSignature";
      return refuse(
        401,
        { code: "PGRST301", details: null, hint: null, message },
        { "www-authenticate": `Bearer error="invalid_token", error_description="${message}"` },
      );
    }
  }
  const role = keyRole ?? (bearer ? roleOfKey(keys, bearer) : undefined);
  if (bearer && !role) return refuse(401, { message: "Invalid API key" });
  if (!role) return { kind: "ok", role: "none" };
  return { kind: "ok", role, authorization: `Bearer ${await tokens.forRole(role)}` };
}

function refuse(status: number, body: unknown, headers: HeadersInit = {}): Credentials {
  return { kind: "refused", response: Response.json(body, { status, headers }) };
}
