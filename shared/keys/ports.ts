/** What read-only keys need beside the catalog: their users in Auth, and a guard against strangers. */

/** A session of a key's user. */
export interface KeySession {
  accessToken: string;
  /** Seconds that the token lives, as Auth says. */
  expiresIn: number;
}

/**
 * The users of keys. Each has an id that the catalog has chosen, so that nothing is lost of a call whose answer is lost. A
 * user is signed in with the key's secret and with something that only this service knows: the holder of a key has no
 * password.
 */
export interface KeyUsers {
  /**
   * Makes the user. One that is there already is no error.
   *
   * @throws SedimentError `auth_failed`, `rate_limited`, `misconfigured`
   */
  create(user: { userId: string; keyId: string; secret: string }): Promise<void>;
  /**
   * A session that is no session to Auth itself: its token can change neither password nor e-mail, and is not refreshed.
   *
   * @returns null when Auth has no such user any more, or shuts it out
   * @throws SedimentError as {@link KeyUsers.create}
   */
  openSession(user: { userId: string; secret: string }): Promise<KeySession | null>;
  /**
   * Deletes the user. One that is not there is no error.
   *
   * @throws SedimentError as {@link KeyUsers.create}
   */
  remove(userId: string): Promise<void>;
}

/** Lets known keys through, and others as far as there is room. */
export interface KeyGuard {
  /** @throws SedimentError `rate_limited` */
  admit(secretHash: string): Promise<void>;
  /** The key was good. */
  know(secretHash: string): void;
  /** It is so no more. */
  forget(secretHash: string): void;
}
