/**
 * Two kinds of token. Outside there are ES256 user tokens with a `kid`, as hosted projects give, checked by the
 * published JWKS. Inside, PostgREST and @supabase/lite know one HS256 secret. The gateway turns one into the
 * other, and makes role tokens out of API keys.
 */
import {
  createLocalJWKSet,
  decodeProtectedHeader,
  errors,
  importJWK,
  type JSONWebKeySet,
  type JWK,
  type JWTPayload,
  jwtVerify,
  SignJWT,
} from "jose";

export type ApiRole = "anon" | "service_role";

export interface Tokens {
  /** The public keys, for `/auth/v1/.well-known/jwks.json` and SUPABASE_JWKS. */
  jwks: JSONWebKeySet;
  /** The claims of an ES256 token of ours; throws jose's error when it isn't one or has expired. */
  verifyUser(token: string): Promise<JWTPayload>;
  /** The inside form of a user's token; throws as verifyUser. */
  toInternal(userToken: string): Promise<string>;
  /** The outside form of a token that @supabase/lite has signed, with claims that hosted ones have and it leaves out. */
  toUser(internalToken: string, more?: JWTPayload): Promise<string>;
  /** A long-lived inside token of an API role. */
  forRole(role: ApiRole): Promise<string>;
}

/** How many translated tokens are kept. */
const cacheSize = 500;

/**
 * @param signing private ES256 JWK with a kid
 * @param internalSecret HS256 secret
 * @param issuer `iss` of users' tokens, as hosted: `URL/auth/v1`
 */
export async function createTokens(
  signing: JWK,
  internalSecret: string,
  issuer: string,
): Promise<Tokens> {
  const { d: _private, ...publicJwk } = signing;
  const jwks = { keys: [{ ...publicJwk, key_ops: ["verify"], ext: true } as JWK] };
  const keySet = createLocalJWKSet(jwks);
  const privateKey = await importJWK(signing, "ES256");
  const secret = new TextEncoder().encode(internalSecret);
  const roles = new Map<ApiRole, Promise<string>>();
  const translated = new Map<string, { token: string; expires: number }>();

  const signInternal = (claims: JWTPayload) =>
    new SignJWT(claims).setProtectedHeader({ alg: "HS256", typ: "JWT" }).sign(secret);
  const verifyUser = async (token: string) =>
    (await jwtVerify(token, keySet, { algorithms: ["ES256"] })).payload;

  return {
    jwks,
    verifyUser,
    async toInternal(userToken) {
      const known = translated.get(userToken);
      if (known && known.expires * 1000 > Date.now()) return known.token;
      const claims = await verifyUser(userToken);
      const token = await signInternal(claims);
      if (translated.size >= cacheSize) translated.delete(translated.keys().next().value!);
      translated.set(userToken, { token, expires: claims.exp ?? 0 });
      return token;
    },
    async toUser(internalToken, more = {}) {
      const { payload } = await jwtVerify(internalToken, secret, { algorithms: ["HS256"] });
      return new SignJWT({ iss: issuer, ...more, ...payload })
        .setProtectedHeader({ alg: "ES256", typ: "JWT", kid: signing.kid })
        .sign(privateKey);
    },
    forRole(role) {
      let token = roles.get(role);
      if (!token) {
        const exp = Math.floor(Date.now() / 1000) + 10 * 365 * 86_400;
        token = signInternal({ iss: "supabase", role, iat: Math.floor(Date.now() / 1000), exp });
        roles.set(role, token);
      }
      return token;
    },
  };
}

/** Whether a bearer value is a JWT at all (an API key is not). */
export function looksLikeJwt(value: string): boolean {
  // An API key comes with each call of a function: no exception for that.
  if (value.startsWith("sb_")) return false;
  try {
    return decodeProtectedHeader(value).alg !== undefined;
  } catch {
    return false;
  }
}

/** Whether a verification failed because the token is too old. */
export function isExpired(error: unknown): boolean {
  return error instanceof errors.JWTExpired;
}
