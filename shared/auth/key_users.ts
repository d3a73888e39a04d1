/**
 * The users of read-only keys in Supabase Auth, by its admin API. Read at github.com/supabase/auth, August 2026:
 * internal/api/admin.go (`id` of POST /admin/users since v2.155.0), token.go (the password grant), auth.go (a token whose
 * session is gone is 403 session_not_found in all of Auth), middleware.go (an admin's request needs no captcha).
 */
import { createHmac } from "node:crypto";
import { SedimentError } from "../errors.ts";
import type { KeySession, KeyUsers } from "../keys/ports.ts";

/** Where Auth is, and with what it is asked. */
export interface KeyUsersSettings {
  /** The project's URL; Auth is below it. */
  url: string;
  secretKey: string;
  /** What passwords are made with beside secrets of keys; another one, and each is renewed when it is next used. */
  passwordKey: string;
  /** Milliseconds that a call may take. @default 10_000 */
  deadlineMs?: number;
  fetch?: typeof fetch;
}

/** An answer of Auth: its status, and the JSON in it. */
interface Answer {
  status: number;
  body: Record<string, unknown>;
  retryAfter: number | undefined;
}

/** The address of a key's user: no mail arrives at it, so nobody can recover a password by it (RFC 6761 section 6.4). */
const emailOf = (userId: string) => `key-${userId}@keys.sediment.invalid`;

/** The users of keys of one project. */
export function createKeyUsers(settings: KeyUsersSettings): KeyUsers {
  const { secretKey, passwordKey, deadlineMs = 10_000 } = settings;
  const base = `${settings.url}/auth/v1`;
  const send = settings.fetch ?? fetch;

  // letters of both cases, a digit and a sign, where the project asks for them; bcrypt takes 72 bytes
  const passwordOf = (secret: string) =>
    `${
      createHmac("sha256", passwordKey).update(`sediment key's password\n${secret}`)
        .digest("base64url")
    }aA1!`;

  async function call(
    method: string,
    path: string,
    json?: object,
    token = secretKey,
  ): Promise<Answer> {
    try {
      const response = await send(`${base}/${path}`, {
        method,
        headers: {
          apikey: secretKey,
          authorization: `Bearer ${token}`,
          ...(json === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(json === undefined ? {} : { body: JSON.stringify(json) }),
        redirect: "manual",
        signal: AbortSignal.timeout(deadlineMs),
      });
      const text = await response.text();
      const seconds = Number(response.headers.get("retry-after") ?? NaN);
      return {
        status: response.status,
        body: objectIn(text),
        retryAfter: seconds > 0 ? seconds : undefined,
      };
    } catch (thrown) {
      const why = thrown instanceof Error ? thrown.message : String(thrown);
      throw new SedimentError("auth_failed", `Auth: ${method} ${path}: ${why}`, { cause: thrown });
    }
  }

  const signIn = (userId: string, secret: string) =>
    call("POST", "token?grant_type=password", {
      email: emailOf(userId),
      password: passwordOf(secret),
    });

  /** Ends what Auth knows of a session. A token that it does not refuse by now is not handed out. */
  async function forgetSession(token: string): Promise<void> {
    const ended = await call("POST", "logout?scope=local", undefined, token);
    if (ended.status >= 300) throw failed("logout", ended);
  }

  return {
    async create({ userId, keyId, secret }) {
      const made = await call("POST", "admin/users", {
        id: userId,
        email: emailOf(userId),
        password: passwordOf(secret),
        email_confirm: true,
        app_metadata: { sediment_key: keyId },
      });
      if (made.status === 422 && codeOf(made) === "email_exists") return;
      if (made.status >= 300) throw failed("admin/users", made);
      if (made.body.id === userId) return;
      if (typeof made.body.id === "string") await call("DELETE", `admin/users/${made.body.id}`);
      throw new SedimentError("misconfigured", "Auth chose another id for a key's user", {
        expected: "Supabase Auth 2.155.0 or later, whose admin API takes an id",
      });
    },

    async openSession({ userId, secret }): Promise<KeySession | null> {
      let session = await signIn(userId, secret);
      // somebody has shut the user out by hand
      if (codeOf(session) === "user_banned") return null;
      if (session.status === 400) {
        // another password: passwordKey was changed. Anything else about the user is put right with it.
        const renewed = await call("PUT", `admin/users/${userId}`, {
          email: emailOf(userId),
          password: passwordOf(secret),
          email_confirm: true,
        });
        if (renewed.status === 404) return null;
        if (renewed.status >= 300) throw failed("admin/users", renewed);
        session = await signIn(userId, secret);
      }
      const { access_token, expires_in, user } = session.body;
      const whose = (user as { id?: unknown } | undefined)?.id;
      if (session.status >= 300 || typeof access_token !== "string" || whose !== userId) {
        throw failed("token", session);
      }
      await forgetSession(access_token);
      return { accessToken: access_token, expiresIn: Number(expires_in) || 0 };
    },

    async remove(userId) {
      const gone = await call("DELETE", `admin/users/${userId}`);
      if (gone.status >= 300 && gone.status !== 404) throw failed("admin/users", gone);
    },
  };
}

function objectIn(text: string): Record<string, unknown> {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** Auth's own word: `error_code`, or `code` of its API of 2024-01-01. */
function codeOf({ body }: Answer): string | undefined {
  return [body.error_code, body.code].find((word) => typeof word === "string");
}

function failed(path: string, answer: Answer): SedimentError {
  const { status, body, retryAfter } = answer;
  const code = codeOf(answer);
  const said = [body.msg, body.message, body.error].find((word) => typeof word === "string");
  const detail = `Auth: ${path}: HTTP ${status}${code === undefined ? "" : ` ${code}`}${
    said === undefined ? "" : `: ${said}`
  }`;
  if (status === 429) {
    return new SedimentError("rate_limited", detail, {
      expected: "another try later",
      retryAfterSeconds: retryAfter ?? 10,
    });
  }
  if (code === "email_provider_disabled") {
    return new SedimentError("misconfigured", detail, {
      expected: "the e-mail provider of Auth switched on: users of keys sign in by it",
    });
  }
  if (status === 401 || status === 403) {
    return new SedimentError("misconfigured", detail, {
      expected: "a secret key that Auth's admin API takes",
    });
  }
  return new SedimentError("auth_failed", detail, { retryAfterSeconds: retryAfter });
}
