/** A stand-in that verifies tokens itself, as the real Storage does, and knows no API keys. */
import { jwtVerify } from "jose";
import type { Caller } from "../../supabase/local/storage/scope.ts";
import { freshStandIn } from "./fresh_stand_in.ts";

/** Serves one that takes HS256 tokens of a secret. */
export function tokenStandIn(jwtSecret: string) {
  return freshStandIn({
    async authorize(request) {
      const [, token] = /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "") ?? [];
      try {
        const { payload } = await jwtVerify(token!, new TextEncoder().encode(jwtSecret));
        return { role: payload.role as Caller["role"], sub: payload.sub, claims: payload };
      } catch {
        return null;
      }
    },
  });
}
