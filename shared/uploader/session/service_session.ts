/** A service that acts for a user: by a named secret key, and by saying for whom. */
import { sha256 } from "../sha256.ts";
import type { Session } from "./session.ts";

/**
 * The session of a service.
 *
 * @param key a secret key of the project that may act for users (`sb_secret_…`); never for a browser
 * @param userId whose uploads they are
 */
export function serviceSession(key: string, userId: string): Session {
  const credential = {
    token: key,
    userId,
    fingerprint: sha256(key).slice(0, 16),
    headers: { apikey: key, "x-sediment-user": userId },
  };
  return { userId: () => userId, credential: () => Promise.resolve(credential) };
}
