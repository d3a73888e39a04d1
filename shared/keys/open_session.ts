/** A key's secret for a session of its user. */
import type { Catalog } from "../catalog/catalog.ts";
import { asSedimentError, SedimentError } from "../errors.ts";
import { hashOf } from "./key_secret.ts";
import type { KeyGuard, KeyUsers } from "./ports.ts";

/** What the holder of a key gets. */
export interface OpenedSession {
  accessToken: string;
  /** Seconds after which another one is to be asked for: when the token ends, or the key. */
  expiresIn: number;
  dataset: string;
  /** When the key ends. */
  keyExpiresAt: string;
}

/**
 * Opens a session. Whether the key still opens its dataset is looked up again with each read.
 *
 * @throws SedimentError `key_invalid` for a key that is unknown, has expired or was revoked, all in the same way;
 * `rate_limited`, and those of {@link KeyUsers}
 */
export async function openKeySession(
  { catalog, keyUsers, guard, now }: {
    catalog: Pick<Catalog, "openKey">;
    keyUsers: Pick<KeyUsers, "openSession">;
    guard: KeyGuard;
    now: Date;
  },
  secret: string,
): Promise<OpenedSession> {
  const secretHash = hashOf(secret);
  await guard.admit(secretHash);
  const key = await catalog.openKey({ secretHash }).catch((thrown) => {
    if (asSedimentError(thrown).code === "key_invalid") guard.forget(secretHash);
    throw thrown;
  });
  guard.know(secretHash);
  const session = await keyUsers.openSession({ userId: key.user_id, secret });
  // somebody has deleted the user in Auth, or shut it out: that ends the key, whether Auth could tell the catalog or not
  if (session === null) {
    throw new SedimentError("key_invalid", "the key is not known, has expired or was revoked", {
      field: "secret",
      expected: "a key of the dataset's owner",
    });
  }
  const left = Math.floor((Date.parse(key.expires_at) - now.getTime()) / 1000);
  return {
    accessToken: session.accessToken,
    expiresIn: Math.max(0, Math.min(session.expiresIn, left)),
    dataset: key.dataset_id,
    keyExpiresAt: key.expires_at,
  };
}
