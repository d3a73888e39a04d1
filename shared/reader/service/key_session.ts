/**
 * The session of a read-only key: its secret is exchanged for an access token, and again when that ends. The token opens
 * PostgREST and Storage too, as the dataset's reader.
 */
import { isErrorCode, SedimentError } from "../../errors.ts";
import type { ReaderSession } from "./reader_session.ts";

/** What a key is opened with. */
export interface KeySessionOptions {
  /** The project's URL, `https://REF.supabase.co`. */
  url: string;
  /** The key, `sdk_…`, as its dataset's owner has got it. */
  secret: string;
  /** Where the functions are. @default `functions/v1` of the project */
  functionsUrl?: string;
  /** Milliseconds that an exchange may take. @default 30,000 */
  deadlineMs?: number;
  /** @default the runtime's */
  fetch?: typeof fetch;
  /** Milliseconds of a clock that runs evenly. @default performance.now */
  now?: () => number;
}

/** The session of a key. */
export interface KeySession extends ReaderSession {
  /**
   * The token of now.
   *
   * @throws SedimentError `key_invalid` for a key that is unknown, has expired or was revoked; `rate_limited`,
   * `server_unreachable`, other problems of the service, `unexpected_answer`
   */
  credential(): Promise<{ token: string }>;
  /** Has the next credential be a new one. */
  forget(): void;
}

/** A token that lives less than this is exchanged before it is used, milliseconds. */
const leastLifeMs = 30_000;

/**
 * @example
 * ```ts
 * const data = await openDataset({ url, session: keySession({ url, secret }), datasetId });
 * ```
 */
export function keySession(options: KeySessionOptions): KeySession {
  const { secret, deadlineMs = 30_000, now = () => performance.now() } = options;
  const functions = options.functionsUrl ?? `${options.url.replace(/\/+$/, "")}/functions/v1`;
  const url = `${functions.replace(/\/+$/, "")}/battle-data/keys/session`;
  let token: string | undefined, renewAt = 0;
  let exchange: Promise<{ token: string }> | undefined;

  async function ask(): Promise<{ token: string }> {
    const asked = now();
    const send = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    let response: Response, answer: Record<string, unknown>;
    try {
      response = await send(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ secret }),
        signal: AbortSignal.timeout(deadlineMs),
      });
      answer = Object(await response.json().catch(() => null));
    } catch (cause) {
      const why = (cause as Error).message;
      throw new SedimentError("server_unreachable", `keys/session: ${why}`, { cause });
    }
    const { access_token, expires_in } = answer;
    if (response.ok && typeof access_token === "string") {
      // of a token that does not live so long half of its life is used
      const lifeMs = Math.max(0, Number(expires_in) || 0) * 1000;
      renewAt = asked + Math.max(lifeMs - leastLifeMs, lifeMs / 2);
      token = access_token;
      return { token };
    }
    const seconds = Number(response.headers.get("retry-after") ?? undefined);
    throw new SedimentError(
      isErrorCode(answer.code) ? answer.code : "unexpected_answer",
      `keys/session: ${answer.detail ?? `HTTP ${response.status}`}`,
      { field: "secret", ...(seconds > 0 && { retryAfterSeconds: seconds }) },
    );
  }

  return {
    async credential() {
      if (token !== undefined && now() < renewAt) return { token };
      return await (exchange ??= ask().finally(() => exchange = undefined));
    },
    forget() {
      token = undefined;
    },
  };
}
