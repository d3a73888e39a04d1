/**
 * Whose an upload is, also while the session can't be asked: a token has run out and there is no network
 * to refresh it. Without this the item would be nobody's, and sent as the next user who signs in.
 */
import type { Clock } from "../../clock.ts";
import type { Session } from "./session.ts";

/** A session that answers later than this has gone to the network: saving must not wait for that. */
const patienceMs = 2000;

/** The parts of {@link SignedInUser}. */
export interface SignedInUserParts {
  session: Session;
  clock: Clock;
  /** Where the last known user outlives the process. */
  note: { read(): Promise<unknown>; write(value: unknown): Promise<void> };
}

/** See the file's head. */
export class SignedInUser {
  readonly #parts: SignedInUserParts;
  /** undefined: not looked up yet. */
  #known: string | null | undefined = undefined;

  constructor(parts: SignedInUserParts) {
    this.#parts = parts;
  }

  /** The user's id; null when nobody is signed in, or nobody ever was as far as is known. */
  async id(): Promise<string | null> {
    const { session } = this.#parts;
    try {
      const said = await session.userId?.();
      if (said !== undefined) return await this.#remember(said);
      const asked = await this.#ask();
      if (asked !== undefined) return await this.#remember(asked);
    } catch { /* it can't be asked */ }
    return await this.#lastKnown();
  }

  async #ask(): Promise<string | null | undefined> {
    const { session, clock } = this.#parts;
    const over = new AbortController();
    try {
      return await Promise.race([
        session.credential().then((credential) => credential?.userId ?? null),
        clock.sleep(patienceMs, over.signal).then(() => undefined),
      ]);
    } finally {
      over.abort();
    }
  }

  async #remember(user: string | null): Promise<string | null> {
    if (user !== await this.#lastKnown()) {
      this.#known = user;
      // Beside the items, it serves the next process; a full disk must not fail the save for it.
      await this.#parts.note.write(user === null ? null : { user_id: user }).catch(() => {});
    }
    return user;
  }

  async #lastKnown(): Promise<string | null> {
    if (this.#known === undefined) {
      const note = await this.#parts.note.read().catch(() => null) as { user_id?: unknown } | null;
      this.#known = typeof note?.user_id === "string" ? note.user_id : null;
    }
    return this.#known;
  }
}
