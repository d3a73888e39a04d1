/** Which deployment is meant: the one that is named, that of the environment, or the embedded stack that runs. */
import { join } from "node:path";
import { repositoryRoot } from "../local/parts/npm_packages.ts";
import type { Target } from "./target.ts";

/** What was said on the command line. */
export interface TargetOptions {
  url?: string;
  key?: string;
  functions?: string;
  state?: string;
}

/** The target, or null where nothing was named and no embedded stack runs. */
export async function findTarget(
  options: TargetOptions,
  env: { get(name: string): string | undefined },
): Promise<Target | null> {
  // As in the functions, what is empty counts as absent.
  const variable = (name: string) => env.get(name)?.trim() || undefined;
  const url = options.url ?? variable("SUPABASE_URL");
  const key = options.key ?? variable("SUPABASE_SECRET_KEY") ??
    firstKey(variable("SUPABASE_SECRET_KEYS"));
  if (url !== undefined && key !== undefined) {
    return { url: url.replace(/\/+$/, ""), key, functionsUrl: options.functions };
  }
  if (url !== undefined) return null;
  const folder = options.state ?? join(repositoryRoot, ".state");
  try {
    const lock = await Deno.readTextFile(join(folder, "stack.lock"));
    const keys = JSON.parse(await Deno.readTextFile(join(folder, "keys.json")));
    const [, local] = /(http:\/\/[\d.]+:\d+)/.exec(lock) ?? [];
    return local === undefined ? null : { url: local, key: keys.secret };
  } catch {
    return null;
  }
}

function firstKey(text: string | undefined): string | undefined {
  try {
    const keys = JSON.parse(text ?? "{}") as Record<string, string>;
    return keys.default ?? Object.values(keys)[0];
  } catch {
    return undefined;
  }
}
