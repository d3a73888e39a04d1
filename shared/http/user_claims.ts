/**
 * Whether a token that one of the project's keys has signed is a user's access token. The same keys sign other things:
 * ID tokens for clients of an OAuth app, tokens of the role anon. PostgREST tells them apart by `role` and `aud`.
 */
import { SedimentError } from "../errors.ts";

/** The role, and the audience, of a user's access token. */
const authenticated = "authenticated";

/** What a verified token says. */
export interface TokenClaims {
  iss?: unknown;
  aud?: unknown;
  role?: unknown;
  exp?: unknown;
}

/** Issuers whose tokens are taken. */
export interface Issuers {
  /** `https://REF.supabase.co/auth/v1` and what else Auth calls itself. */
  urls: readonly string[];
  /** Local stacks reach Auth at an address that their tokens don't name: then any that ends so will do. */
  path?: string;
}

/**
 * The issuers of a project: Auth signs with its public address.
 *
 * @param supabaseUrl as the functions reach it, which on a local stack is not as the tokens name it
 * @param more of a custom domain, say
 */
export function issuersOf(supabaseUrl: string, more: readonly string[] = []): Issuers {
  const path = "/auth/v1";
  return {
    urls: [`${supabaseUrl}${path}`, ...more],
    ...(supabaseUrl.startsWith("http:") && more.length === 0 && { path }),
  };
}

/** @throws SedimentError `unauthenticated` naming the claim */
export function checkClaims(claims: TokenClaims, issuers: Issuers): void {
  const { iss, aud, role, exp } = claims;
  if (typeof exp !== "number") throw refused("exp", "a time at which it expires");
  if (role !== authenticated) throw refused("role", authenticated);
  const audiences = Array.isArray(aud) ? aud : [aud];
  if (!audiences.includes(authenticated)) throw refused("aud", authenticated);
  if (typeof iss !== "string" || !isKnown(iss, issuers)) throw refused("iss", issuers.urls[0]!);
}

function isKnown(iss: string, { urls, path }: Issuers): boolean {
  const plain = iss.replace(/\/+$/, "");
  if (urls.includes(plain)) return true;
  return path !== undefined && URL.canParse(plain) && new URL(plain).pathname === path;
}

function refused(claim: string, expected: string): SedimentError {
  return new SedimentError("unauthenticated", `The token is not an access token: its ${claim}`, {
    field: "authorization",
    expected: `a user's access token, whose ${claim} is ${expected}`,
    extra: { reason: `token_${claim}` },
  });
}
