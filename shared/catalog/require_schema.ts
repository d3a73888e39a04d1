/**
 * A catalog that is not called before its schema is new enough. Functions and schema are not upgraded at the same
 * moment: the schema goes first, but who deploys the other way round, or from a second branch, must lose nothing.
 */
import { SedimentError } from "../errors.ts";
import type { CallOptions, Catalog } from "./catalog_methods.ts";
import { isMissingFunction } from "./sql_error.ts";
import { unlessAborted } from "./unless_aborted.ts";

/**
 * The least `schema_version()` that this code works with. It rises, together with the SQL function, when the code
 * calls, passes or reads what an older schema has not; a schema that is newer is fine.
 */
export const neededSchema = 8;

/** What tells people that something is wrong, such as a schema that is too old: it goes on with any that has it. */
const unconditional = new Set(["claimAlerts", "finishAlert", "drainDeadLetters"]);

/** How a schema is asked for its version. */
export interface SchemaOptions {
  /** @default neededSchema */
  needed?: number;
  /** After it was too old, milliseconds until it is asked again. @default 5000 */
  recheckMs?: number;
  /** Milliseconds of a clock that does not run backwards. @default performance.now */
  now?: () => number;
}

/**
 * The same catalog. Its first call asks for the schema's version, once for all that wait; one that was new enough is
 * asked again only when a function turns out to be missing, as after a restored backup.
 *
 * @throws (from the methods) schema_outdated, and nothing was called
 */
export function requireSchema(catalog: Catalog, options: SchemaOptions = {}): Catalog {
  const { needed = neededSchema, recheckMs = 5000, now = () => performance.now() } = options;
  let known = false;
  let askAgainAt = -Infinity;
  let outdated = "";
  let asking: Promise<void> | undefined;

  async function ask(): Promise<void> {
    const version = await catalog.schemaVersion({}).catch((error) => {
      if (isMissingFunction(error)) return 0;
      throw error;
    });
    known = version >= needed;
    if (known) return;
    askAgainAt = now() + recheckMs;
    outdated = `the schema has version ${version}, this function needs ${needed}`;
  }

  async function demand(): Promise<void> {
    if (now() >= askAgainAt) await (asking ??= ask().finally(() => asking = undefined));
    if (known) return;
    throw new SedimentError("schema_outdated", outdated, {
      expected: "the migrations of this release (supabase db push)",
      retryAfterSeconds: Math.max(1, Math.ceil((askAgainAt - now()) / 1000)),
    });
  }

  type Method = (args: object, options?: CallOptions) => Promise<unknown>;
  const methods = (Object.entries(catalog) as [string, Method][]).map(([name, method]) => {
    const call: Method = async (args, options) => {
      if (!known && !unconditional.has(name)) await unlessAborted(name, options?.signal, demand);
      try {
        return await method(args, options);
      } catch (error) {
        if (!isMissingFunction(error)) throw error;
        known = false;
        await unlessAborted(name, options?.signal, demand);
        throw error;
      }
    };
    return [name, call];
  });
  return Object.fromEntries(methods) as Catalog;
}
