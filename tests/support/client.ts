/** A signed-in user of a running stack, by supabase-js as an app would do it. */
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { createHash } from "node:crypto";
import { assertDocumented } from "./documented.ts";

/** Where a stack is. */
export interface StackAddress {
  url: string;
  publishableKey: string;
}

/** A user that is signed in. */
export interface TestUser {
  client: SupabaseClient;
  id: string;
  accessToken: string;
  /** Headers of plain `fetch` calls. */
  headers: Record<string, string>;
}

// deno-lint-ignore no-explicit-any -- whatever JSON the answer holds
export type Answer = { status: number; headers: Headers; body: any };

/** Signs a new user up. */
export async function signUp(stack: StackAddress, email: string): Promise<TestUser> {
  const client = createClient(stack.url, stack.publishableKey, {
    auth: { persistSession: false, autoRefreshToken: false },
  });
  const { data, error } = await client.auth.signUp({ email, password: "a long password" });
  if (error) throw error;
  const accessToken = data.session!.access_token;
  return {
    client,
    id: data.user!.id,
    accessToken,
    headers: { apikey: stack.publishableKey, authorization: `Bearer ${accessToken}` },
  };
}

/** SHA-256 in hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Calls a function by plain fetch; a problem that it answers has to be one that the OpenAPI document tells of. */
export async function call(
  stack: StackAddress,
  method: string,
  path: string,
  init: { headers?: Record<string, string>; body?: BodyInit; json?: unknown } = {},
): Promise<Answer> {
  const response = await fetch(
    path.startsWith("http") ? path : `${stack.url}/functions/v1${path}`,
    {
      method,
      headers: {
        ...init.headers,
        ...(init.json === undefined ? {} : { "content-type": "application/json" }),
      },
      body: init.json === undefined ? init.body : JSON.stringify(init.json),
    },
  );
  const text = await response.text();
  const type = response.headers.get("content-type") ?? "";
  // an answer to HEAD has the head of another, and no body
  const body = type.includes("json") && method !== "HEAD" ? JSON.parse(text) : text;
  if (type.includes("problem+json") && method !== "HEAD") {
    assertDocumented(method, response.url, response.status, body);
  }
  return { status: response.status, headers: response.headers, body };
}

/** The form of a one-request upload. */
export function uploadForm(metadata: Record<string, unknown>, file: Uint8Array): FormData {
  const form = new FormData();
  form.set("metadata", JSON.stringify(metadata));
  form.set("file", new Blob([file as BlobPart]), "fragment.parquet");
  return form;
}

/** However short it should take: other tests, and other machines, are slower than the one it was written on. */
const leastSeconds = 180;

/**
 * Asks again until a condition holds.
 *
 * @param seconds after which it never will; three minutes are always waited
 */
export async function until<T>(
  what: string,
  seconds: number,
  ask: () => Promise<T | undefined | false>,
): Promise<T> {
  const end = performance.now() + Math.max(seconds, leastSeconds) * 1000;
  while (performance.now() < end) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`after ${Math.max(seconds, leastSeconds)} s still not: ${what}`);
}
