/**
 * Who is signed in, and how the page asks. Behind `sediment console` the proxy holds the key and the page has none; else a
 * user's tokens or a secret key stay in this tab (sessionStorage) and go with every call.
 */

/** How the page is served: `proxy` by `sediment console`, `direct` by a server of the functions themselves. */
export interface Serving {
  mode: "proxy" | "direct";
  /** Where it leads, to be told. */
  project: string;
}

/** Credentials of a page that is served directly. */
export type Credentials =
  | { kind: "service"; key: string }
  | { kind: "user"; email: string; access: string; refresh: string; endsAt: number };

const place = "sediment-console";

/** A problem as the service tells it, or what kept it from answering. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly expected?: string,
    readonly field?: string,
  ) {
    super(message);
  }
}

let credentials: Credentials | null = read();
const listeners = new Set<() => void>();

function read(): Credentials | null {
  try {
    return JSON.parse(sessionStorage.getItem(place) ?? "null");
  } catch {
    return null;
  }
}

/** The credentials of this tab. */
export const current = (): Credentials | null => credentials;

/** Keeps or forgets them, and tells whoever listens. */
export function setCredentials(next: Credentials | null): void {
  credentials = next;
  if (next === null) sessionStorage.removeItem(place);
  else sessionStorage.setItem(place, JSON.stringify(next));
  for (const told of listeners) told();
}

/** Is told when they change; gives what ends that. */
export function onChange(told: () => void): () => void {
  listeners.add(told);
  return () => void listeners.delete(told);
}

/** How the page is served; behind the proxy the one-time token of the address becomes a session first. */
export async function findServing(): Promise<Serving> {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token !== null) {
    history.replaceState(null, "", location.pathname);
    await fetch("/console/open", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token }),
    });
  }
  const response = await fetch("/console/serving");
  if (!response.ok) throw await refusalOf(response);
  return await response.json();
}

/** Signs a user in by the server's way to Auth. */
export async function signIn(email: string, password: string): Promise<void> {
  await openSession({ email, password }, email);
}

async function openSession(body: object, email: string): Promise<void> {
  const response = await fetch("/console/session", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw await refusalOf(response);
  const answer = await response.json();
  setCredentials({
    kind: "user",
    email,
    access: answer.access_token,
    refresh: answer.refresh_token,
    endsAt: Date.now() + answer.expires_in * 1000,
  });
}

let refreshing: Promise<void> | undefined;

async function headersOf(): Promise<Record<string, string>> {
  if (credentials === null) return {};
  if (credentials.kind === "service") return { apikey: credentials.key };
  if (credentials.endsAt - Date.now() < 60_000) {
    const { refresh, email } = credentials;
    refreshing ??= openSession({ refresh_token: refresh }, email)
      .finally(() => refreshing = undefined);
    await refreshing;
  }
  return { authorization: `Bearer ${(credentials as { access: string }).access}` };
}

/**
 * Asks a route of the functions, as whoever is signed in.
 *
 * @throws Refusal `unreachable`
 */
export async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const own = await headersOf();
  try {
    return await fetch(`/functions/v1${path}`, { ...init, headers: { ...own, ...init.headers } });
  } catch (thrown) {
    if (init.signal?.aborted) throw thrown;
    throw new Refusal(0, "unreachable", "The service does not answer");
  }
}

/**
 * Calls a route of the functions.
 *
 * @throws Refusal what the service says, or `unreachable`
 */
export async function call(method: string, path: string, body?: unknown) {
  const response = await ask(path, {
    method,
    // what the browser has is asked for by its ETag
    cache: "no-cache",
    ...(body !== undefined && {
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  });
  if (!response.ok) throw await refusalOf(response);
  return { etag: response.headers.get("etag"), body: await response.json() };
}

/** What the service says in an answer that is none. */
export async function refusalOf(response: Response): Promise<Refusal> {
  const problem = await response.json().catch(() => ({}));
  return new Refusal(
    response.status,
    problem.code ?? "internal",
    problem.detail ?? `The service answered ${response.status}`,
    problem.expected,
    problem.field,
  );
}
