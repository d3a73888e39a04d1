/** The session of `sediment login`, kept in a file that only its user can read, and refreshed from there. */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import * as z from "zod/mini";
import { SedimentError } from "../../errors.ts";
import { serviceSession } from "../session/service_session.ts";
import { askAuth } from "./auth_api.ts";
import { credentialOf, type Session } from "../session/session.ts";

const savedSession = z.object({
  url: z.string().check(z.refine((url) => URL.canParse(url))),
  key: z.string(),
  email: z.nullable(z.string()),
  access_token: z.string(),
  refresh_token: z.string(),
  /** Seconds since 1970, by this machine's clock. */
  expires_at: z.number(),
  /** By how much this machine's clock was ahead of the server's, seconds. */
  clock_ahead_seconds: z.optional(z.number()),
});

/** What is kept. */
export type SavedSession = z.infer<typeof savedSession>;

/** A token that lives less than this is refreshed before it is used. */
const leastLifeSeconds = 30;

/** Where the session is: SEDIMENT_SESSION, or the user's configuration folder. */
export function sessionPath(): string {
  const { SEDIMENT_SESSION, APPDATA, XDG_CONFIG_HOME } = process.env;
  if (SEDIMENT_SESSION) return SEDIMENT_SESSION;
  const folder = process.platform === "win32" && APPDATA
    ? APPDATA
    : XDG_CONFIG_HOME || join(homedir(), ".config");
  return join(folder, "sediment", "session.json");
}

/** The session, or null when nobody is signed in (or the file is broken: sign in again). */
export async function readSession(): Promise<SavedSession | null> {
  try {
    return z.parse(savedSession, JSON.parse(await readFile(sessionPath(), "utf8")));
  } catch {
    return null;
  }
}

/** Keeps a session; null forgets it. */
export async function writeSession(session: SavedSession | null): Promise<void> {
  const path = sessionPath();
  if (session === null) return await rm(path, { force: true });
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const part = `${path}.${process.pid}.part`;
  await writeFile(part, JSON.stringify(session, null, 1), { mode: 0o600 });
  await rename(part, path);
}

/**
 * The session that a command works with: of the user who is signed in, or with --for of a service that acts for
 * a user by SEDIMENT_SERVICE_KEY.
 *
 * @param url of the project that requests go to
 * @throws `invalid_config` for --for without a key, or with what is no user's id
 */
export function sessionFor(user: string | undefined, url: string): Session {
  if (user === undefined) return fileSession(url);
  const key = process.env.SEDIMENT_SERVICE_KEY;
  if (!key || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(user)) {
    throw new SedimentError("invalid_config", `--for ${user} can't be done`, {
      field: "for",
      expected: "a user's id, and SEDIMENT_SERVICE_KEY: a secret key that may act for users",
    });
  }
  return serviceSession(key, user.toLowerCase());
}

/**
 * A session from the file, read anew each time: a `login` in another terminal counts at once. A token is
 * for the server that gave it: at any other there is no session.
 *
 * @param url of the project that requests go to
 */
function fileSession(url: string): Session {
  let refreshing: Promise<SavedSession | null> | null = null;
  /** Fingerprints of tokens that a refusal has led to: one that is refused as well is not renewed again. */
  const renewals = new Set<string>();
  const refreshOnce = (session: SavedSession) =>
    refreshing ??= refresh(session).finally(() => refreshing = null);
  const here = async () => {
    const session = await readSession();
    return session && new URL(session.url).origin === new URL(url).origin ? session : null;
  };
  return {
    async userId() {
      const token = process.env.SEDIMENT_TOKEN ?? (await here())?.access_token;
      return token ? credentialOf(token).userId : null;
    },
    async credential() {
      const token = process.env.SEDIMENT_TOKEN;
      if (token) return credentialOf(token);
      let session = await here();
      if (session === null) return null;
      if (isDue(session)) session = await refreshOnce(session);
      return session && credentialOf(session.access_token);
    },
    async renewed(refused) {
      if (process.env.SEDIMENT_TOKEN || renewals.has(refused.fingerprint)) return null;
      const session = await here();
      if (session === null) return null;
      const known = credentialOf(session.access_token);
      // another attempt, or another process, has renewed it meanwhile
      if (known.fingerprint !== refused.fingerprint) return known;
      const next = await refreshOnce(session);
      const credential = next && credentialOf(next.access_token);
      if (credential) renewals.add(credential.fingerprint);
      return credential;
    },
  };
}

const isDue = (session: SavedSession) => session.expires_at - Date.now() / 1000 < leastLifeSeconds;

/** The session with a token that lives; null when it has ended at the server. @throws `server_unreachable` */
export async function refreshed(session: SavedSession): Promise<SavedSession | null> {
  return isDue(session) ? await refresh(session) : session;
}

async function refresh(session: SavedSession): Promise<SavedSession | null> {
  const { url, key, refresh_token } = session;
  try {
    return await askForSession(url, key, "token?grant_type=refresh_token", { refresh_token });
  } catch (error) {
    if (!(error instanceof SedimentError)) throw error;
    // A sign-out is what Auth says of the user or the project of the key, not what the network does.
    const isWord = error.code === "unauthenticated" || error.code === "invalid_config";
    if (!isWord) throw new SedimentError("server_unreachable", error.message, { cause: error });
    // Another process may have used the refresh token first: then its session is in the file.
    const now = await readSession();
    return now && now.refresh_token !== refresh_token ? now : null;
  }
}

/** Asks Supabase Auth for a session, and keeps it. @throws as `askAuth` */
export async function askForSession(
  url: string,
  key: string,
  path: string,
  body: Record<string, string>,
): Promise<SavedSession> {
  const session: SavedSession = { url, key, ...await askAuth(url, key, path, body) };
  await writeSession(session);
  return session;
}
