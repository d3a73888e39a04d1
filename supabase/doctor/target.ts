/** The deployment that is looked at, and how it is asked. */

/** Where it is, and the key that opens it. */
export interface Target {
  /** The project's URL, without a slash at its end. */
  url: string;
  /** A secret key. */
  key: string;
  /** Where the functions are. @default url + /functions/v1 */
  functionsUrl?: string;
  /** @default globalThis.fetch */
  fetch?: typeof fetch;
}

/** An answer, or why there was none. */
export interface Answer {
  /** 0 when nothing answered. */
  status: number;
  headers: Headers;
  text: string;
  /** The body where it is JSON. */
  // deno-lint-ignore no-explicit-any -- whatever a deployment answers
  json: any;
  /** The clock's Unix ms in the middle of the call: what the other clock is compared with. */
  at: number;
}

/** A request that never throws: what does not answer is an answer too. */
export async function ask(
  target: Target,
  url: string,
  init: RequestInit & { json?: unknown; key?: string | null } = {},
): Promise<Answer> {
  const { json, key = target.key, ...rest } = init;
  const headers = new Headers(init.headers);
  if (key !== null) headers.set("apikey", key);
  // A legacy JWT is a bearer too; a new key must not be.
  if (key?.startsWith("eyJ") && !headers.has("authorization")) {
    headers.set("authorization", `Bearer ${key}`);
  }
  if (json !== undefined) headers.set("content-type", "application/json");
  const begun = Date.now();
  try {
    const response = await (target.fetch ?? fetch)(url, {
      ...rest,
      headers,
      body: json === undefined ? init.body : JSON.stringify(json),
      signal: AbortSignal.timeout(20_000),
    });
    const text = await response.text();
    const at = (begun + Date.now()) / 2;
    return { status: response.status, headers: response.headers, text, json: parsed(text), at };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { status: 0, headers: new Headers(), text, json: undefined, at: begun };
  }
}

/** An answer in a few words. */
export function said({ status, text, json }: Answer): string {
  const words = json?.detail ?? json?.message ?? json?.msg ?? text.replace(/\s+/g, " ");
  return `${status === 0 ? "nothing answered" : status}: ${String(words).slice(0, 160)}`;
}

/** Where the functions of a target are. */
export function functionsOf(target: Target): string {
  return (target.functionsUrl ?? `${target.url}/functions/v1`).replace(/\/+$/, "");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
