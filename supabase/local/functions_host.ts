/** The functions of this repository, served in this process. */
import type { Service } from "./gateway/gateway.ts";

const entry = new URL("../../functions/main.ts", import.meta.url);

/** Loads functions/main.ts; until that exists every function answers 501. */
export async function loadFunctions(env: Record<string, string>): Promise<Service> {
  try {
    await Deno.stat(entry);
  } catch {
    return notServed("functions/main.ts does not exist");
  }
  // Not a literal, so that the stack's type check doesn't depend on it.
  const { createApp } = await import(entry.href) as {
    createApp(env: Record<string, string>): Service | Promise<Service>;
  };
  return await createApp(env);
}

/** A service that says that it isn't there. */
export function notServed(why: string): Service {
  return { fetch: () => Response.json({ message: why }, { status: 501 }) };
}
