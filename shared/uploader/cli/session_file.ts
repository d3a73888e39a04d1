/** The session of `sediment login`, kept in a file that only its user can read, and refreshed from there. */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import * as z from "zod";
import { SedimentError } from "../../errors.ts";
import { credentialOf, type Session } from "../session/session.ts";

const savedSession = z.object({
  url: z.url(),
  key: z.string(),
  email: z.string().nullable(),
  access_token: z.string(),
  refresh_token: z.string(),
  /** Seconds since 1970. */
  expires_at: z.number(),
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
    return savedSession.parse(JSON.parse(await readFile(sessionPath(), "utf8")));
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
 * A session from the file, read anew each time: a `login` in another terminal counts at once. A token is
 * for the server that gave it: at any other there is no session.
 *
 * @param url of the project that requests go to
 */
export function fileSession(url: string): Session {
  let refreshing: Promise<SavedSession | null> | null = null;
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
      if (session.expires_at - Date.now() / 1000 < leastLifeSeconds) {
        refreshing ??= refresh(session).finally(() => refreshing = null);
        session = await refreshing;
      }
      return session && credentialOf(session.access_token);
    },
  };
}

async function refresh(session: SavedSession): Promise<SavedSession | null> {
  const { url, key, refresh_token } = session;
  try {
    return await askForSession(url, key, "token?grant_type=refresh_token", { refresh_token });
  } catch (error) {
    if (!(error instanceof SedimentError) || error.code !== "unauthenticated") throw error;
    // Another process may have used the refresh token first: then its session is in the file.
    const now = await readSession();
    return now && now.refresh_token !== refresh_token ? now : null;
  }
}

/**
 * Asks Supabase Auth for a session, and keeps it.
 *
 * @throws `server_unreachable`, `unauthenticated` with the server's own words
 */
export async function askForSession(
  url: string,
  key: string,
  path: string,
  body: Record<string, string>,
): Promise<SavedSession> {
  let response: Response;
  try {
    response = await fetch(`${url}/auth/v1/${path}`, {
      method: "POST",
      headers: { apikey: key, "content-type": "application/json" },
      body: JSON.stringify(body),
      // A password, or the refresh token, is for this server alone.
      redirect: "manual",
      signal: AbortSignal.timeout(30_000),
    });
  } catch (error) {
    throw new SedimentError("server_unreachable", `${url}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const answer = await response.json().catch(() => null);
  // Not Auth's word on this user: a server in trouble, a rate limit, a hotel's login page.
  const { status } = response;
  const isWord = typeof answer === "object" && answer !== null;
  if (status >= 500 || status === 429 || status === 408 || !isWord) {
    throw new SedimentError("server_unreachable", `${url}/auth/v1: HTTP ${status}`);
  }
  if (!response.ok || typeof answer.access_token !== "string") {
    const why = answer.msg ?? answer.error_description ?? answer.message ??
      `HTTP ${response.status}`;
    throw new SedimentError("unauthenticated", String(why), {
      expected: "a user of this project; `sediment login --signup` makes one",
    });
  }
  const session: SavedSession = {
    url,
    key,
    email: answer.user?.email ?? null,
    access_token: answer.access_token,
    refresh_token: answer.refresh_token,
    expires_at: answer.expires_at ?? Math.floor(Date.now() / 1000) + Number(answer.expires_in),
  };
  await writeSession(session);
  return session;
}
