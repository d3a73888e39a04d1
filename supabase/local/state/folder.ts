import { join } from "node:path";
import { stackError } from "../parts/stack_error.ts";

/** Everything that a stack writes into its folder; `--reset` removes these and refuses when there is more. */
const ownEntries = new Set([
  "cache",
  "children.json",
  "cli",
  "keys.json",
  "postgres",
  "postgrest.conf",
  "postgrest.log",
  "storage",
]);

export interface StateFolder {
  path: string;
  /** Whether it was made for this run only. */
  temporary: boolean;
  /**
   * Removes everything in it but the lock.
   *
   * @throws part_failed when it holds what no stack made; then nothing is removed
   */
  empty(): Promise<void>;
  /** Removes it when it was made for this run only. */
  close(): Promise<void>;
}

/**
 * Opens the state folder, making it when it isn't there.
 *
 * @param path of the folder; undefined: a temporary one that close() removes
 */
export async function openStateFolder(path: string | undefined): Promise<StateFolder> {
  const temporary = path === undefined;
  const folder = path ?? await Deno.makeTempDir({ prefix: "sediment-" });
  // 0711 for root: the user that PostgreSQL then runs as must get to its own folder inside; what is secret is 0600.
  const mode = Deno.uid() === 0 ? 0o711 : 0o700;
  const info = await Deno.stat(folder).catch(() => null);
  if (info && !info.isDirectory) {
    throw stackError(
      "part_failed",
      `${folder} is a file.`,
      "Name a folder: deno task start --state DIR",
    );
  }
  if (!info) {
    await Deno.mkdir(folder, { recursive: true, mode });
  } else if (temporary) await Deno.chmod(folder, mode);
  const real = await Deno.realPath(folder);
  return {
    path: real,
    temporary,
    async empty() {
      const names = (await Array.fromAsync(Deno.readDir(real))).map((entry) => entry.name)
        .filter((name) => name !== "stack.lock");
      const foreign = names.filter((name) => !ownEntries.has(name));
      if (foreign.length > 0) {
        throw stackError(
          "part_failed",
          `${real} holds ${
            foreign.slice(0, 3).join(", ")
          }, which no stack made: nothing was removed.`,
          "Name a folder that is a stack's own: deno task start --reset --state DIR",
        );
      }
      for (const name of names) await Deno.remove(join(real, name), { recursive: true });
    },
    async close() {
      if (temporary) await Deno.remove(real, { recursive: true }).catch(() => {});
    },
  };
}
