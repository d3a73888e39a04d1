/** Mounts the Storage API stand-in behind the gateway. */
import type { Sql } from "postgres";
import { notServed } from "./functions_host.ts";
import type { Service } from "./gateway/gateway.ts";
import type { Tokens } from "./gateway/tokens.ts";
import type { StackKeys } from "./state/keys.ts";

/** @param root folder of the bytes */
export function mountStorage(
  _options: { root: string; sql: Sql; keys: StackKeys; tokens: Tokens; url: string },
): Promise<Service> {
  return Promise.resolve(notServed("the Storage stand-in is not written yet"));
}
