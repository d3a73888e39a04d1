/**
 * Fair use of the way to the catalog: a user's calls wait for each other, not for those of others. Calls of services
 * and groups of uploads, which are many users' together, go as they come.
 */
import type { CatalogTransport } from "./catalog_methods.ts";
import { createFairTurns, type FairTurnsOptions } from "../fair_turns.ts";

/** The same transport, on which the users share what the options say. */
export function fairCalls(
  transport: CatalogTransport,
  options: FairTurnsOptions,
): CatalogTransport {
  const turns = createFairTurns(options);
  return async (functionName, args, callOptions) => {
    const { p_user: user } = args;
    if (typeof user !== "string") return await transport(functionName, args, callOptions);
    const giveBack = await turns.take(user, callOptions.signal);
    try {
      return await transport(functionName, args, callOptions);
    } finally {
      giveBack();
    }
  };
}
