/**
 * The folder of the Storage stand-in: objects under keys in buckets, written atomically.
 *
 *     ROOT/objects/BUCKET/…   finished objects (object_file.ts, keys.ts)
 *     ROOT/incoming/          bodies on their way; nothing here is ever read, and a start empties it
 *     ROOT/resumable/         TUS uploads (resumable.ts)
 */
import { dirname, join } from "node:path";

import { StorageApiError } from "./errors.ts";
import { bucketPath, decodeEntry, objectPath, prefixPath } from "./keys.ts";
import {
  appendTail,
  type ObjectMeta,
  type OpenObject,
  openObjectFile,
  rangeBody,
  readObjectMeta,
  writeObjectFile,
} from "./object_file.ts";

/** What an upload says of its object. */
export interface ObjectFacts {
  mimetype: string;
  cacheControl: string;
  owner?: string;
  userMetadata?: unknown;
}

/** An object's key and metadata. */
export interface FoundObject {
  key: string;
  meta: ObjectMeta;
}

/** A folder of objects. One process at a time. */
export class ObjectFolder {
  readonly #root: string;
  #ready?: Promise<void>;

  constructor(root: string) {
    this.#root = root;
  }

  /** Makes the folders and drops what a killed process left half done. */
  ready(): Promise<void> {
    return this.#ready ??= (async () => {
      const incoming = join(this.#root, "incoming");
      await Deno.remove(incoming, { recursive: true }).catch(() => {});
      await Deno.mkdir(incoming, { recursive: true });
      await Deno.mkdir(this.resumablePath, { recursive: true });
      await Deno.mkdir(join(this.#root, "objects"), { recursive: true });
    })();
  }

  /** Where unfinished TUS uploads lie. */
  get resumablePath(): string {
    return join(this.#root, "resumable");
  }

  /** The metadata of an object, or null. */
  head(bucket: string, key: string): Promise<ObjectMeta | null> {
    return readObjectMeta(objectPath(this.#root, bucket, key));
  }

  /** Opens an object for reading, or null; the caller closes it. */
  open(bucket: string, key: string): Promise<OpenObject | null> {
    return openObjectFile(objectPath(this.#root, bucket, key));
  }

  /**
   * Writes an object, replacing what is there: whether that is wanted was asked before the body was read, as
   * in the real API, where two racers without upsert can both succeed.
   */
  async write(
    bucket: string,
    key: string,
    body: AsyncIterable<Uint8Array>,
    facts: ObjectFacts,
  ): Promise<ObjectMeta> {
    const path = objectPath(this.#root, bucket, key);
    const temporary = join(this.#root, "incoming", crypto.randomUUID());
    const previous = await readObjectMeta(path);
    const meta = await writeObjectFile(
      temporary,
      body,
      (measured) => describe(measured, facts, previous),
    );
    await this.#moveInto(temporary, path);
    return meta;
  }

  /** Turns a file that holds exactly a body into an object. */
  async adopt(
    bucket: string,
    key: string,
    file: string,
    measured: { size: number; md5: string },
    facts: ObjectFacts,
  ): Promise<ObjectMeta> {
    const path = objectPath(this.#root, bucket, key);
    const meta = describe(measured, facts, await readObjectMeta(path));
    await appendTail(file, meta);
    await this.#moveInto(file, path);
    return meta;
  }

  /** Copies an object; `facts` replace those of the source where given. */
  async copy(
    from: { bucket: string; key: string },
    to: { bucket: string; key: string },
    facts: Partial<ObjectFacts>,
  ): Promise<ObjectMeta> {
    const open = await this.open(from.bucket, from.key);
    if (!open) throw new StorageApiError("NoSuchKey");
    const { mimetype, cacheControl, userMetadata } = open.meta;
    const body = await rangeBody(open, 0, open.meta.size);
    const chunks = body instanceof Uint8Array ? once(body) : body;
    return await this.write(to.bucket, to.key, chunks, {
      mimetype,
      cacheControl,
      userMetadata,
      ...facts,
    });
  }

  /** Renames an object; the destination must not be. */
  async move(
    from: { bucket: string; key: string },
    to: { bucket: string; key: string },
  ): Promise<ObjectMeta> {
    const source = objectPath(this.#root, from.bucket, from.key);
    const meta = await readObjectMeta(source);
    if (!meta) throw new StorageApiError("NoSuchKey");
    if (from.bucket === to.bucket && from.key === to.key) return meta;
    if (await this.head(to.bucket, to.key)) throw new StorageApiError("KeyAlreadyExists");
    await this.#moveInto(source, objectPath(this.#root, to.bucket, to.key));
    await this.#prune(dirname(source), bucketPath(this.#root, from.bucket));
    return meta;
  }

  /** Deletes an object and tells what it was, or null. */
  async delete(bucket: string, key: string): Promise<ObjectMeta | null> {
    const path = objectPath(this.#root, bucket, key);
    const meta = await readObjectMeta(path);
    try {
      await Deno.remove(path);
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
      return null;
    }
    await this.#prune(dirname(path), bucketPath(this.#root, bucket));
    return meta;
  }

  /** Deletes everything in a bucket. */
  async empty(bucket: string): Promise<void> {
    await Deno.remove(bucketPath(this.#root, bucket), { recursive: true }).catch((thrown) => {
      if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    });
  }

  /** Keys with a prefix, in the order of their bytes, from the first that is greater than `after`. */
  async *keys(bucket: string, prefix = "", after = ""): AsyncGenerator<string> {
    const base = prefix.slice(0, prefix.lastIndexOf("/") + 1);
    for await (const key of this.#walk(bucket, base, prefix, after)) yield key;
  }

  /** The objects and folders directly below a prefix that ends in `/` or is empty; folders hold an object. */
  async children(bucket: string, prefix: string): Promise<{ files: string[]; folders: string[] }> {
    const files: string[] = [];
    const folders: string[] = [];
    for (const entry of await this.#entries(bucket, prefix)) {
      if (!entry.folder) files.push(entry.name);
      else if (!(await this.keys(bucket, prefix + entry.name + "/").next()).done) {
        folders.push(entry.name);
      }
    }
    return { files, folders };
  }

  async *#walk(
    bucket: string,
    base: string,
    prefix: string,
    after: string,
  ): AsyncGenerator<string> {
    // A folder sorts as its name with the slash: that is where its keys belong in the order of bytes.
    const entries = (await this.#entries(bucket, base))
      .map(({ name, folder }) => ({ path: base + name + (folder ? "/" : ""), folder }))
      .sort((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
    for (const { path, folder } of entries) {
      if (!folder) {
        if (path.startsWith(prefix) && path > after) yield path;
        continue;
      }
      if (!path.startsWith(prefix) && !prefix.startsWith(path)) continue;
      if (path < after && !after.startsWith(path)) continue;
      yield* this.#walk(bucket, path, prefix, after);
    }
  }

  async #entries(bucket: string, prefix: string): Promise<{ name: string; folder: boolean }[]> {
    const path = prefixPath(this.#root, bucket, prefix);
    if (path === null) return [];
    const entries: { name: string; folder: boolean }[] = [];
    try {
      for await (const found of Deno.readDir(path)) {
        const entry = decodeEntry(found.name);
        if (entry && entry.folder === found.isDirectory) entries.push(entry);
      }
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    }
    return entries;
  }

  /** Renames into place; a folder may be pruned by a delete between its making and the rename. */
  async #moveInto(from: string, to: string): Promise<void> {
    for (let attempt = 1;; attempt++) {
      await Deno.mkdir(dirname(to), { recursive: true });
      try {
        return await Deno.rename(from, to);
      } catch (thrown) {
        if (!(thrown instanceof Deno.errors.NotFound) || attempt === 10) throw thrown;
      }
    }
  }

  async #prune(folder: string, stop: string): Promise<void> {
    for (let path = folder; path.length > stop.length; path = dirname(path)) {
      try {
        await Deno.remove(path);
      } catch {
        return; // not empty, or gone
      }
    }
  }
}

function describe(
  measured: { size: number; md5: string },
  facts: ObjectFacts,
  previous: ObjectMeta | null,
): ObjectMeta {
  const now = new Date().toISOString();
  return {
    id: previous?.id ?? crypto.randomUUID(),
    version: crypto.randomUUID(),
    ...measured,
    mimetype: facts.mimetype,
    cacheControl: facts.cacheControl,
    lastModified: now,
    createdAt: previous?.createdAt ?? now,
    owner: facts.owner,
    userMetadata: facts.userMetadata,
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
