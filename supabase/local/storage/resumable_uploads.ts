/**
 * Unfinished TUS uploads on disk: `ID.json` says what it will be, `ID.bin` is what has come of it. Bytes are
 * only ever appended, so whatever a killed process leaves is a prefix that the client can go on from.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";

import type { ObjectFacts, StoredObjects } from "./stored_objects.ts";
import type { Measured } from "./version_folder.ts";

/** What an upload will be. */
export interface ResumableUpload {
  /** A UUID. */
  id: string;
  bucket: string;
  key: string;
  /** Bytes; null as long as the client hasn't told. */
  length: number | null;
  upsert: boolean;
  /** `sub` of the user who began it. */
  owner?: string;
  facts: ObjectFacts;
  /** The Upload-Metadata header as it came. */
  metadata: string;
  /** ISO 8601; dropped at the first start after it. */
  expiresAt: string;
}

/** The uploads of one stand-in. */
export class ResumableUploads {
  readonly #objects: StoredObjects;
  readonly #busy = new Set<string>();
  #swept = false;

  constructor(objects: StoredObjects) {
    this.#objects = objects;
  }

  /** Begins an upload. */
  async create(upload: ResumableUpload): Promise<void> {
    await this.#dropExpired();
    await Deno.writeFile(this.#body(upload), new Uint8Array(), { mode: 0o600 });
    await this.save(upload);
  }

  /** Writes down what an upload will be. */
  async save(upload: ResumableUpload): Promise<void> {
    const path = this.#record(upload.id);
    await Deno.writeTextFile(path + ".new", JSON.stringify(upload), { mode: 0o600 });
    await Deno.rename(path + ".new", path);
  }

  /** An upload, finished or not, or null. */
  async find(id: string): Promise<ResumableUpload | null> {
    try {
      return JSON.parse(await Deno.readTextFile(this.#record(id)));
    } catch (thrown) {
      if (thrown instanceof Deno.errors.NotFound) return null;
      throw thrown;
    }
  }

  /** Bytes that have come. An upload without a body file has become its object. */
  async offset(upload: ResumableUpload): Promise<number> {
    try {
      const { size } = await Deno.stat(this.#body(upload));
      return upload.length === null ? size : Math.min(size, upload.length);
    } catch (thrown) {
      if (thrown instanceof Deno.errors.NotFound) return upload.length!;
      throw thrown;
    }
  }

  /** Runs something that no other request may do to the upload meanwhile; false when one does. */
  async exclusively(upload: ResumableUpload, run: () => Promise<void>): Promise<boolean> {
    if (this.#busy.has(upload.id)) return false;
    this.#busy.add(upload.id);
    try {
      await run();
      return true;
    } finally {
      this.#busy.delete(upload.id);
    }
  }

  /** Appends; what came before a body broke off stays. */
  async append(upload: ResumableUpload, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    using file = await Deno.open(this.#body(upload), { append: true });
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.byteLength;) at += await file.write(chunk.subarray(at));
    }
  }

  /**
   * Makes the object of an upload that is whole; a second time it does nothing. The body goes last: killed before,
   * the same version is stored once more by the next request.
   */
  async finish(upload: ResumableUpload): Promise<void> {
    const path = this.#body(upload);
    const measured = await measure(path);
    if (!measured) return;
    const write = async (version: string) => {
      await this.#objects.folder.adopt(path, version);
      return measured;
    };
    await this.#objects.put("storage.tus.upload.part", upload, upload.facts, write, upload.id);
    await Deno.remove(path);
  }

  /** Forgets an upload and its bytes. */
  async remove({ id }: ResumableUpload): Promise<void> {
    for (const path of [this.#record(id), this.#body({ id })]) {
      await Deno.remove(path).catch((thrown) => {
        if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
      });
    }
  }

  async #dropExpired(): Promise<void> {
    if (this.#swept) return;
    this.#swept = true;
    for await (const { name } of Deno.readDir(this.#objects.folder.resumablePath)) {
      const upload = name.endsWith(".json") ? await this.find(name.slice(0, -5)) : null;
      if (upload && Date.parse(upload.expiresAt) < Date.now()) await this.remove(upload);
    }
  }

  #record(id: string): string {
    return join(this.#objects.folder.resumablePath, `${id}.json`);
  }

  #body({ id }: { id: string }): string {
    return join(this.#objects.folder.resumablePath, `${id}.bin`);
  }
}

/** Size and MD5 of a file, or null when there is none. */
async function measure(path: string): Promise<Measured | null> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return null;
    throw thrown;
  }
  using _closed = file;
  const hash = createHash("md5");
  const buffer = new Uint8Array(256 * 1024);
  let size = 0;
  for (let read = await file.read(buffer); read !== null; read = await file.read(buffer)) {
    hash.update(buffer.subarray(0, read));
    size += read;
  }
  return { size, md5: hash.digest("hex") };
}
