/**
 * Tokens that were verified a moment ago. A client sends the same one with every request, and an ES256 signature
 * costs a millisecond to check; a key that is withdrawn counts for a minute longer.
 */

/** Remembers whose a verified token is. */
export interface TokenCache {
  /** The user's id, or undefined when the token has to be verified (again). */
  get(token: string): string | undefined;
  /**
   * @param expiresAt the token's `exp`, seconds since 1970; without one it is not remembered
   */
  set(token: string, userId: string, expiresAt: number | undefined): void;
}

/** Bounds of a memory. */
export interface TokenCacheOptions {
  /** Seconds after which a token is verified again. @default 60 */
  seconds?: number;
  /** Tokens that are kept; the oldest is forgotten first. @default 1000 */
  size?: number;
  /** Milliseconds since 1970. @default Date.now */
  now?: () => number;
}

/** An empty memory. */
export function createTokenCache(
  { seconds = 60, size = 1000, now = Date.now }: TokenCacheOptions = {},
): TokenCache {
  const tokens = new Map<string, { userId: string; until: number }>();
  return {
    get(token) {
      const found = tokens.get(token);
      if (found === undefined) return undefined;
      if (now() < found.until) return found.userId;
      tokens.delete(token);
      return undefined;
    },
    set(token, userId, expiresAt) {
      if (expiresAt === undefined) return;
      tokens.delete(token);
      tokens.set(token, { userId, until: Math.min(expiresAt * 1000, now() + seconds * 1000) });
      if (tokens.size > size) tokens.delete(tokens.keys().next().value!);
    },
  };
}
