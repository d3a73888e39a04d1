/** What tests do with the embedded stack beside starting it. */
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import type { Stack } from "../../supabase/local/stack.ts";

const quiet = {
  auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
};

/** A signed-up user. */
export interface TestUser {
  client: SupabaseClient;
  id: string;
  /** Access token, ES256. */
  token: string;
  email: string;
  password: string;
}

/** Signs a new user up, with a client that acts as that user. */
export async function signUp(
  stack: Pick<Stack, "url" | "publishableKey">,
  email = `${crypto.randomUUID()}@example.com`,
): Promise<TestUser> {
  const client = createClient(stack.url, stack.publishableKey, quiet);
  const password = crypto.randomUUID();
  const { data, error } = await client.auth.signUp({ email, password });
  if (error) throw error;
  return { client, id: data.user!.id, token: data.session!.access_token, email, password };
}

/** A client with the secret key, role service_role. */
export function serviceClient(stack: Pick<Stack, "url" | "secretKey">): SupabaseClient {
  return createClient(stack.url, stack.secretKey, quiet);
}

/** A client with the publishable key and no user, role anon. */
export function anonClient(stack: Pick<Stack, "url" | "publishableKey">): SupabaseClient {
  return createClient(stack.url, stack.publishableKey, quiet);
}

/** Whether a process runs (a zombie does not). */
export function isRunning(pid: number): boolean {
  try {
    const text = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return text.slice(text.lastIndexOf(")") + 2)[0] !== "Z";
  } catch {
    return false;
  }
}
