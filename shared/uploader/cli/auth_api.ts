/** Calls to Supabase Auth, whose refusals are told by what is wrong: the key, the password, the network. */
import { SedimentError } from "../../errors.ts";
import { plainValue } from "../plain_text.ts";

/** What Auth gives. */
export interface AuthSession {
  email: string | null;
  access_token: string;
  refresh_token: string;
  /** Seconds since 1970, by this machine's clock: counted from the answer's receipt. */
  expires_at: number;
  /** By how much this machine's clock is ahead of the server's, seconds; absent where it didn't say. */
  clock_ahead_seconds?: number;
}

type Body = Record<string, unknown>;

/** What Auth's own codes (error_code, or code of its API of 2024-01-01) mean, and what would help. */
const refusals: Record<string, [detail: string, expected: string]> = {
  invalid_credentials: [
    "the e-mail or the password is wrong",
    "a user of this project; `sediment login --signup` makes one",
  ],
  user_already_exists: [
    "there is a user with this e-mail already",
    "`sediment login` without --signup",
  ],
  email_exists: ["there is a user with this e-mail already", "`sediment login` without --signup"],
  email_not_confirmed: [
    "the e-mail is not confirmed",
    "a click on the link in the mail, then `sediment login`",
  ],
  signup_disabled: ["this project takes no new users", "a user that its owner makes"],
  email_provider_disabled: [
    "this project takes no sign-in by e-mail",
    "another way to a token: SEDIMENT_TOKEN",
  ],
};

/**
 * Asks for a session.
 *
 * @param path below /auth/v1, with its query
 * @throws `server_unreachable`, `rate_limited`, `invalid_config` for a key or URL that is wrong,
 *   `unauthenticated` with what Auth has against the user
 */
export async function askAuth(
  url: string,
  key: string,
  path: string,
  body: Record<string, string>,
): Promise<AuthSession> {
  const response = await post(url, path, { apikey: key }, JSON.stringify(body));
  const answer: Body | null = await response.json().then(plainValue).catch(() => null);
  const { status } = response;
  const isWord = typeof answer === "object" && answer !== null;
  if (status === 429) {
    const wait = response.headers.get("retry-after");
    throw new SedimentError("rate_limited", `${url}/auth/v1: too many sign-ins`, {
      expected: wait ? `another try in ${wait} s` : "another try in a minute",
    });
  }
  // Not Auth's word on this user: a server in trouble, a hotel's login page.
  if (status >= 500 || status === 408 || !isWord) throw notAuths(url, status);
  if (!response.ok) throw refusalOf(url, status, answer);
  if (typeof answer.access_token === "string") {
    // The server's expires_at is by the server's clock, which may not be this machine's.
    const { access_token, refresh_token, user } = answer;
    const [life, end] = [answer.expires_in, answer.expires_at].map((one) =>
      Number(isPlain(one) && one)
    );
    const expires_at = life > 0 ? Math.floor(Date.now() / 1000) + life : end;
    const email = (user as { email?: unknown } | null | undefined)?.email;
    if (!isText(refresh_token) || !(Math.abs(expires_at) < lastSecond)) {
      throw notAuths(url, status);
    }
    return {
      email: isText(email) ? email : null,
      access_token,
      refresh_token,
      expires_at,
      ...clockAhead(response),
    };
  }
  throw new SedimentError("unauthenticated", "the user is there now, and not confirmed yet", {
    expected: refusals.email_not_confirmed[1],
  });
}

const isText = (value: unknown) => typeof value === "string";
const isPlain = (value: unknown) => typeof value !== "object";

/** The last second that a Date can be of. */
const lastSecond = 8.64e12;

function notAuths(url: string, status: number): SedimentError {
  const what = status >= 500 ? "" : ", which is no answer of Supabase Auth";
  return new SedimentError("server_unreachable", `${url}/auth/v1: HTTP ${status}${what}`, {
    expected: "the URL of a Supabase project, and no login page of a network before it",
  });
}

/** A clock that is off by less is not worth a word: Auth's own leeway, and the time that an answer takes. */
const tolerableSeconds = 60;

/** What is said of a machine's clock that differs from the server's; null when it does not. */
export function clockWarning({ clock_ahead_seconds: ahead = 0 }: { clock_ahead_seconds?: number }) {
  if (Math.abs(ahead) < tolerableSeconds) return null;
  const by = Math.abs(ahead) < 7200
    ? `${Math.round(Math.abs(ahead) / 60)} min`
    : `${Math.round(Math.abs(ahead) / 3600)} h`;
  return `this machine's clock is ${by} ${
    ahead > 0 ? "ahead of" : "behind"
  } the server's: set it, ` +
    "or times that are shown are wrong by as much";
}

function clockAhead(response: Response): { clock_ahead_seconds?: number } {
  const date = Date.parse(response.headers.get("date") ?? "");
  return Number.isNaN(date) ? {} : { clock_ahead_seconds: Math.round((Date.now() - date) / 1000) };
}

/** Ends a session at the server: its refresh token is worth nothing any more. @throws as {@link askAuth} */
export async function endAuth(url: string, key: string, token: string): Promise<void> {
  const headers = { apikey: key, authorization: `Bearer ${token}` };
  const response = await post(url, "logout?scope=local", headers);
  await response.body?.cancel();
  // 401, 403, 404: the server knows no such session, so it has ended.
  if (response.ok || [401, 403, 404].includes(response.status)) return;
  throw new SedimentError("server_unreachable", `${url}/auth/v1: HTTP ${response.status}`);
}

async function post(
  url: string,
  path: string,
  headers: Record<string, string>,
  body?: string,
): Promise<Response> {
  try {
    return await fetch(`${url}/auth/v1/${path}`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body,
      // A password, or the refresh token, is for this server alone.
      redirect: "manual",
      signal: AbortSignal.timeout(30_000),
    });
  } catch (error) {
    throw new SedimentError("server_unreachable", `${url}: ${reasonOf(error)}`, {
      expected: "a network, and a server at that URL",
      cause: error,
    });
  }
}

function refusalOf(url: string, status: number, answer: Body): SedimentError {
  const { error_code, code: word, msg, error_description, message, error } = answer;
  const code = [error_code, word].find(isText);
  const text = [msg, error_description, message, error].find(isText) ?? `HTTP ${status}`;
  if (status === 401 && code === undefined && /api key/i.test(text)) {
    return new SedimentError("invalid_config", `${url} does not know the key: ${text}`, {
      field: "key",
      expected: "the project's publishable key, sb_publishable_…, of its API settings",
    });
  }
  if (status === 404) {
    return new SedimentError("invalid_config", `there is no Supabase Auth at ${url}: ${text}`, {
      field: "url",
      expected: "https://PROJECT.supabase.co, without a path",
    });
  }
  const [detail, expected] = code !== undefined && Object.hasOwn(refusals, code)
    ? refusals[code]
    : [text, "a user of this project; `sediment login --signup` makes one"];
  return new SedimentError("unauthenticated", detail, { expected });
}

/** What the system says, out of the layers that a fetch wraps it in: `Connection refused (os error 111)`. */
function reasonOf(error: unknown): string {
  const { message = "", cause } = error as { message?: string; cause?: { message?: string } };
  return (cause?.message ?? message).split(/error(?: \(\w+\))?: /).at(-1)!;
}
