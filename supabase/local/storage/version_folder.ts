/**
 * The bytes of objects, each version in a file of its own that is never changed:
 *
 *     ROOT/versions/VERSION   a UUID, the `version` of a row of storage.objects
 *     ROOT/resumable/         TUS uploads (resumable_uploads.ts)
 *
 * Bytes are whole before a row points at them, and go after it doesn't any more. So a row never lacks its bytes,
 * whenever the process is killed, and what no row points at is a leftover, which the next start sweeps.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";

import { olderFormat } from "./database.ts";

/** What is measured of a body on its way to disk. */
export interface Measured {
  /** Bytes. */
  size: number;
  /** MD5, hex. */
  md5: string;
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The folder of one stand-in; one process at a time. */
export class VersionFolder {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** Where unfinished TUS uploads lie. */
  get resumablePath(): string {
    return join(this.#root, "resumable");
  }

  /**
   * Makes the folders, and removes the versions that no row points at.
   *
   * @param known the versions that rows point at; asked once the files are known, and only when there are any
   * @throws part_failed when the folder is of an older version of the stand-in
   */
  async prepare(known: () => Promise<Set<string>>): Promise<void> {
    // An older version kept metadata in the files, under their keys; an empty folder of it is no loss.
    await Deno.remove(join(this.#root, "objects")).catch((thrown) => {
      if (!(thrown instanceof Deno.errors.NotFound)) throw olderFormat(this.#root);
    });
    // Objects are their owners' data: nobody else on this machine reads them, nor those that an older version wrote.
    await Deno.mkdir(this.resumablePath, { recursive: true, mode: 0o700 });
    await Deno.mkdir(join(this.#root, "versions"), { recursive: true, mode: 0o700 });
    await Deno.chmod(this.#root, 0o700);
    const found = (await Array.fromAsync(Deno.readDir(join(this.#root, "versions"))))
      .map((entry) => entry.name);
    if (found.length === 0) return;
    const wanted = await known();
    for (const name of found) if (!wanted.has(name)) await this.remove(name);
  }

  /** Writes a new version. On any failure, also of the body's stream, nothing is left of it. */
  async write(version: string, body: AsyncIterable<Uint8Array>): Promise<Measured> {
    const path = this.#path(version);
    const file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
    try {
      const hash = createHash("md5");
      let size = 0;
      for await (const chunk of body) {
        hash.update(chunk);
        size += chunk.byteLength;
        for (let at = 0; at < chunk.byteLength;) at += await file.write(chunk.subarray(at));
      }
      file.close();
      return { size, md5: hash.digest("hex") };
    } catch (thrown) {
      file.close();
      await Deno.remove(path).catch(() => {});
      throw thrown;
    }
  }

  /** Makes a file's bytes a version, beside the file; nothing happens when they are that already. */
  async adopt(file: string, version: string): Promise<void> {
    await Deno.link(file, this.#path(version)).catch((thrown) => {
      if (!(thrown instanceof Deno.errors.AlreadyExists)) throw thrown;
    });
  }

  /** Makes another version of the same bytes; false when the first is gone. */
  async duplicate(from: string, to: string): Promise<boolean> {
    try {
      await Deno.link(this.#path(from), this.#path(to));
      return true;
    } catch (thrown) {
      if (thrown instanceof Deno.errors.NotFound) return false;
      throw thrown;
    }
  }

  /** Opens a version for reading: it stays readable when it is removed meanwhile. Null when there is none. */
  async open(version: string): Promise<{ file: Deno.FsFile; size: number } | null> {
    if (!uuid.test(version)) return null; // SQL may have written anything
    let file: Deno.FsFile;
    try {
      file = await Deno.open(this.#path(version), { read: true });
    } catch (thrown) {
      if (thrown instanceof Deno.errors.NotFound) return null;
      throw thrown;
    }
    return { file, size: file.statSync().size };
  }

  /** Removes a version that no row points at, if it is there. */
  async remove(version: string | null): Promise<void> {
    if (version === null || !uuid.test(version)) return;
    await Deno.remove(this.#path(version)).catch((thrown) => {
      if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    });
  }

  #path(version: string): string {
    return join(this.#root, "versions", version);
  }
}
