import { join } from "node:path";

/**
 * Where the PostgreSQL tree is kept between starts: SEDIMENT_CACHE_DIR, else the user's cache, else (root,
 * whose home is closed to the user that PostgreSQL runs as) /var/cache, else the state folder.
 */
export async function cacheFolder(stateDir: string): Promise<string> {
  const named = Deno.env.get("SEDIMENT_CACHE_DIR");
  const home = Deno.env.get("HOME");
  const root = Deno.build.os !== "windows" && Deno.uid() === 0;
  const candidates = named ? [named] : root ? ["/var/cache/sediment"] : [
    Deno.env.get("XDG_CACHE_HOME") ?? (home && join(home, ".cache")),
  ].filter((path) => path !== undefined).map((path) => join(path, "sediment"));
  for (const folder of candidates) {
    try {
      await Deno.mkdir(folder, { recursive: true });
      await Deno.remove(await Deno.makeTempDir({ dir: folder })); // readable is not enough
      return folder;
    } catch {
      if (named) throw new Error(`SEDIMENT_CACHE_DIR ${named} can't be written to`);
    }
  }
  return join(stateDir, "cache");
}

/** Whether a cache entry is there; marks it as used, so that it is not pruned. */
export async function touch(path: string): Promise<boolean> {
  const now = new Date();
  return await Deno.utime(path, now, now).then(() => true, () => false);
}

const dayMs = 86_400_000;

/** Removes entries that no start has used for a month, and what a killed build left a day ago. */
export async function pruneCache(cacheDir: string): Promise<void> {
  for await (const { name } of Deno.readDir(cacheDir)) {
    const days = /^building-/.test(name)
      ? 1
      : /^(postgres|cluster|migrated)-/.test(name)
      ? 30
      : Infinity;
    const path = join(cacheDir, name);
    const used = (await Deno.stat(path).catch(() => undefined))?.mtime?.getTime() ?? Infinity;
    if (used < Date.now() - days * dayMs) {
      await Deno.remove(path, { recursive: true }).catch(() => {});
    }
  }
}

/** Removes all entries of a kind but those that were used last. */
export async function keepNewest(cacheDir: string, prefix: string, count: number): Promise<void> {
  const entries = [];
  for await (const { name } of Deno.readDir(cacheDir)) {
    if (!name.startsWith(prefix)) continue;
    const path = join(cacheDir, name);
    const used = (await Deno.stat(path).catch(() => undefined))?.mtime?.getTime() ?? 0;
    entries.push({ path, used });
  }
  entries.sort((a, b) => b.used - a.used);
  for (const { path } of entries.slice(count)) {
    await Deno.remove(path, { recursive: true }).catch(() => {});
  }
}
