/** Objects as a whole: bytes in the folder and the row that points at them, in the order that survives a kill. */
import { StorageApiError } from "./errors.ts";
import type { Address, ObjectMetadata, ObjectRow, ObjectTable } from "./object_table.ts";
import type { Operation, Scope } from "./scope.ts";
import type { Measured, VersionFolder } from "./version_folder.ts";

/** What an upload says of its object. */
export interface ObjectFacts {
  mimetype: string;
  cacheControl: string;
  userMetadata?: unknown;
}

/** An object that is open for reading; the reader closes `file`. */
export interface OpenObject {
  row: ObjectRow;
  file: Deno.FsFile;
  /** Bytes. */
  size: number;
}

/** The objects of one stand-in. */
export class StoredObjects {
  readonly table: ObjectTable;
  readonly folder: VersionFolder;

  constructor(table: ObjectTable, folder: VersionFolder) {
    this.table = table;
    this.folder = folder;
  }

  /** Opens an object that the scope may see, or null. */
  async open(scope: Scope, address: Address): Promise<OpenObject | null> {
    // Between the row and its bytes the object may be replaced: then the row is another.
    for (let seen: string | null = null;;) {
      const row = await this.table.find(scope, address);
      if (!row?.version || row.version === seen) return null;
      const open = await this.folder.open(row.version);
      if (open) return { row, ...open };
      seen = row.version;
    }
  }

  /**
   * Stores an object over whatever is there; whether the caller may was asked before.
   *
   * @param write makes the bytes of the version
   * @param version of an upload that may be stored twice, after a kill
   * @returns the row's id
   */
  async put(
    operation: Operation,
    to: Address & { owner?: string },
    facts: ObjectFacts,
    write: (version: string) => Promise<Measured>,
    version: string = crypto.randomUUID(),
  ): Promise<string> {
    const { size, md5 } = await write(version);
    const metadata: ObjectMetadata = {
      eTag: `"${md5}"`,
      size,
      mimetype: facts.mimetype,
      cacheControl: facts.cacheControl,
      lastModified: new Date().toISOString(),
      contentLength: size,
      httpStatusCode: 200,
    };
    return await this.#point(operation, to, version, metadata, facts.userMetadata);
  }

  /** Copies an object that was found; `metadata` and `userMetadata` are those of the copy. */
  async copy(
    operation: Operation,
    from: ObjectRow,
    to: Address & { owner?: string },
    metadata: Partial<ObjectMetadata>,
    userMetadata: unknown,
  ): Promise<string> {
    const version = await this.#duplicate(from);
    const renewed = { ...metadata, lastModified: new Date().toISOString() } as ObjectMetadata;
    return await this.#point(operation, to, version, renewed, userMetadata);
  }

  /** Moves an object that was found; whether the caller may was asked before. */
  async move(operation: Operation, from: ObjectRow, to: Address & { owner?: string }) {
    const version = await this.#duplicate(from);
    const metadata = { ...from.metadata, lastModified: new Date().toISOString() };
    const address = { bucket: from.bucket_id, key: from.name, version: from.version! };
    const id = await this.#unlessRefused(
      version,
      this.table.move(operation, address, { ...to, version }, metadata),
    );
    // Replaced or removed since it was found: there is nothing to move.
    await this.folder.remove(id === null ? version : from.version);
    if (id === null) throw new StorageApiError("NoSuchKey");
    return id;
  }

  /** Removes the objects that the scope may remove, and tells which. */
  async remove(scope: Scope, bucket: string, keys: string[]): Promise<ObjectRow[]> {
    const rows = await this.table.remove(scope, bucket, keys);
    for (const row of rows) await this.folder.remove(row.version);
    return rows;
  }

  /** Removes what the scope sees of a bucket. */
  async clear(scope: Scope, bucket: string): Promise<void> {
    for await (const rows of this.table.clear(scope, bucket)) {
      for (const row of rows) await this.folder.remove(row.version);
    }
  }

  async #point(
    operation: Operation,
    to: Address & { owner?: string },
    version: string,
    metadata: ObjectMetadata,
    userMetadata: unknown,
  ): Promise<string> {
    const { id, previous } = await this.#unlessRefused(
      version,
      this.table.put(operation, to, version, metadata, userMetadata),
    );
    if (previous !== version) await this.folder.remove(previous);
    return id;
  }

  async #duplicate(row: ObjectRow): Promise<string> {
    const version = crypto.randomUUID();
    const there = row.version !== null && await this.folder.duplicate(row.version, version);
    if (!there) throw new StorageApiError("NoSuchKey");
    return version;
  }

  /**
   * Drops the bytes when the database refuses their row. When the connection was lost instead, the row may have
   * been committed: then they stay, and the next start looks.
   */
  async #unlessRefused<T>(version: string, row: Promise<T>): Promise<T> {
    try {
      return await row;
    } catch (thrown) {
      if (thrown instanceof StorageApiError) await this.folder.remove(version);
      throw thrown;
    }
  }
}
