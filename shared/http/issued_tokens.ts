/** Refresh tokens that this isolate has handed out, so that who comes back with one is told from who tries words. */
import { createHash } from "node:crypto";

/** So many are remembered; beyond, those handed out first are strangers' again. */
const mostTokens = 10_000;

/** Tokens, each with the session that it goes on with. Kept as digests: what leaks from memory opens nothing. */
export class IssuedTokens {
  readonly #sessions = new Map<string, string>();

  /** @returns the session that a token goes on with; undefined where it is none of ours */
  sessionOf(token: string): string | undefined {
    return this.#sessions.get(digest(token));
  }

  /** A token was handed out. @param before the one that it was given for, which is good for nothing more */
  issue(token: string, session: string, before?: string): void {
    if (before !== undefined) this.#sessions.delete(digest(before));
    this.#sessions.set(digest(token), session);
    if (this.#sessions.size > mostTokens) {
      this.#sessions.delete(this.#sessions.keys().next().value!);
    }
  }
}

function digest(token: string): string {
  return createHash("sha256").update(token).digest("base64url");
}
