/** On whose behalf the database is asked: the role whose policies hold, and the claims that they read. */

/** Who calls, as the gateway found. */
export interface Caller {
  role: "service_role" | "authenticated" | "anon";
  /** The user's id. */
  sub?: string;
  /** All claims of the token, for policies. @default role and sub */
  claims?: Record<string, unknown>;
}

/** The words of the real API for what is being done; policies may ask with `storage.operation()`. */
export type Operation = `storage.${"bucket" | "object" | "tus.upload" | "s3.object"}.${string}`;

/** What a transaction sets before it does anything. */
export interface Scope {
  role: Caller["role"];
  /** The claims of the caller's token, as JSON. */
  claims: string;
  operation: Operation;
}

/** The caller's own scope. */
export function scopeOf({ role, sub, claims }: Caller, operation: Operation): Scope {
  return { role, claims: JSON.stringify(claims ?? { role, sub }), operation };
}

/** The scope of what the API does itself, past every policy: for signed URLs, public buckets, looking things up. */
export function serviceScope(operation: Operation): Scope {
  return { role: "service_role", claims: '{"role":"service_role"}', operation };
}
