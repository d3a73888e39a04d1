/** The functions of this repository, served in this process. */
import { stackError } from "./parts/stack_error.ts";
import type { Service } from "./gateway/gateway.ts";

const entry = new URL("../../functions/main.ts", import.meta.url);

/**
 * Loads functions/main.ts; where that isn't every function answers 501.
 *
 * @throws part_failed when it does not load
 */
export async function loadFunctions(env: Record<string, string>): Promise<Service> {
  try {
    await Deno.stat(entry);
  } catch {
    return notServed("functions/main.ts does not exist");
  }
  // Not a literal, so that the stack's type check doesn't depend on it.
  try {
    const { createApp } = await import(entry.href) as {
      createApp(env: Record<string, string>): Service | Promise<Service>;
    };
    return await createApp(env);
  } catch (cause) {
    throw stackError(
      "part_failed",
      `functions/main.ts did not load: ${(cause as Error).message}`,
      "Start without it: deno task start --no-functions",
      cause,
    );
  }
}

/** A service that says that it isn't there. */
export function notServed(why: string): Service {
  return { fetch: () => Response.json({ message: why }, { status: 501 }) };
}
