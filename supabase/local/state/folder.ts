import { join } from "node:path";

export interface StateFolder {
  path: string;
  /** Removes everything in it but the lock. */
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
  // 0711: the user that PostgreSQL runs as must get to its own folder inside; what is secret is 0600.
  if (!await Deno.stat(folder).then(() => true, () => false)) {
    await Deno.mkdir(folder, { recursive: true, mode: 0o711 });
  } else if (temporary) await Deno.chmod(folder, 0o711);
  const real = await Deno.realPath(folder);
  return {
    path: real,
    async empty() {
      for await (const entry of Deno.readDir(real)) {
        if (entry.name !== "stack.lock") {
          await Deno.remove(join(real, entry.name), { recursive: true });
        }
      }
    },
    async close() {
      if (temporary) await Deno.remove(real, { recursive: true }).catch(() => {});
    },
  };
}
