/** The port to whoever is signed in, and an adapter for supabase-js. */
import { SedimentError } from "../../errors.ts";
import { sha256 } from "../sha256.ts";

/** What a request is authorised with. */
export interface Credential {
  token: string;
  /** The token's `sub`; null when it isn't a JWT. */
  userId: string | null;
  /** Tells two tokens apart without being one. */
  fingerprint: string;
  /** What requests carry of it. @default the token as Bearer */
  headers?: Record<string, string>;
}

/** Events of a session, as supabase-js names them. */
export type SessionEvent = "SIGNED_IN" | "TOKEN_REFRESHED" | "SIGNED_OUT";

/** Who is signed in. */
export interface Session {
  /**
   * The credential of now; null when nobody is signed in.
   *
   * @throws `server_unreachable` when that can't be found out (a refresh without network)
   */
  credential(): Promise<Credential | null>;
  /**
   * Another credential in place of one that the service has just refused (401), though the session took it for a living
   * one: a clock that is off, a key that was rotated. Null: there is none.
   *
   * @throws as {@link Session.credential}
   */
  renewed?(refused: Credential): Promise<Credential | null>;
  /**
   * Whose the session is, as far as that is known at once and without a network: also when its token has
   * run out. null: nobody is signed in; undefined: it isn't known.
   */
  userId?(): string | null | undefined | Promise<string | null | undefined>;
  /** Tells of changes until the returned function is called. */
  onChange?(listener: (event: SessionEvent) => void): () => void;
}

/** The credential in an access token. */
export function credentialOf(token: string): Credential {
  return { token, userId: userIdOf(token), fingerprint: sha256(token).slice(0, 16) };
}

/** A session from a token, or from a function that gives one. */
export function tokenSession(
  token: string | (() => string | null | Promise<string | null>),
): Session {
  return {
    async credential() {
      const now = typeof token === "string" ? token : await token();
      return now === null ? null : credentialOf(now);
    },
  };
}

/** The part of a supabase-js client's `auth` that is used. */
export interface SupabaseAuth {
  getSession(): Promise<{
    data: { session: { access_token: string } | null };
    error: { name?: string; message: string } | null;
  }>;
  onAuthStateChange(
    callback: (event: string, session: { access_token: string } | null) => void,
  ): { data: { subscription: { unsubscribe(): void } } };
}

/** The session of a supabase-js client. */
export function supabaseSession(auth: SupabaseAuth): Session {
  // getSession() goes to the network once the token has run out, so what it last said is kept.
  let user: string | null | undefined = undefined;
  const seen = (session: { access_token: string } | null) => {
    const credential = session && credentialOf(session.access_token);
    user = credential ? credential.userId : null;
    return credential;
  };
  return {
    userId: () => user,
    async credential() {
      const { data, error } = await auth.getSession();
      if (error?.name === "AuthRetryableFetchError") {
        throw new SedimentError("server_unreachable", `the session: ${error.message}`);
      }
      return seen(data.session);
    },
    onChange(listener) {
      const { data } = auth.onAuthStateChange((event, session) => {
        const known = event === "INITIAL_SESSION" ? (session ? "SIGNED_IN" : null) : event;
        if (known !== "SIGNED_IN" && known !== "TOKEN_REFRESHED" && known !== "SIGNED_OUT") return;
        seen(session);
        // Inside the callback supabase-js holds a lock that getSession() waits for.
        setTimeout(() => listener(known), 0);
      });
      return () => data.subscription.unsubscribe();
    },
  };
}

/** The user whom a token names; null where it is no JWT, or names nobody. */
export function userIdOf(token: string): string | null {
  try {
    const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const sub = JSON.parse(atob(part)).sub;
    return typeof sub === "string" ? sub : null;
  } catch {
    return null;
  }
}
