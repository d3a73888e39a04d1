/**
 * Pending pairs in IndexedDB, for browsers. Bytes and record of an item are written in one transaction
 * with strict durability, so there are no half pairs. Locks are the Web Locks of the origin, so that all
 * tabs share one store; a tab that is closed frees its locks by itself.
 */
import { SedimentError } from "../../../errors.ts";
import type { HeldLock, PendingMedium, StagedBytes, StoredBytes } from "../pending_medium.ts";
import { createSha256 } from "../../sha256.ts";
import { checkSize, chunksOf } from "./source_chunks.ts";

interface Row {
  id: string;
  text: string;
}

/** Options of {@link indexedDbMedium}. */
export interface IndexedDbMediumOptions {
  /** Name of the database. @default "sediment-pending" */
  name?: string;
}

/**
 * Opens (and makes, where it isn't there) a database of pending items.
 *
 * @throws `pending_unusable` when the browser refuses (private windows of some do)
 */
export async function indexedDbMedium(
  options: IndexedDbMediumOptions = {},
): Promise<PendingMedium> {
  const { name = "sediment-pending" } = options;
  const locks = globalThis.navigator?.locks;
  if (!locks) {
    throw new SedimentError("pending_unusable", "this page has no Web Locks", {
      expected: "a secure context: https, or localhost",
    });
  }
  const opening = indexedDB.open(name, 1);
  opening.onupgradeneeded = () => {
    for (const store of ["records", "bytes", "notes"]) opening.result.createObjectStore(store);
  };
  const db = await done(opening).catch((error) => {
    throw new SedimentError("pending_unusable", `IndexedDB ${name}: ${error?.message}`, {
      cause: error,
    });
  });
  // Another tab wants to upgrade: let it. Calls here then fail as pending_unusable, and are recorded.
  db.onversionchange = () => db.close();

  const owner = `tab-${crypto.randomUUID()}`;
  // A claim's owner lives while its lock is held: the browser frees it with the tab.
  let farewell = () => {};
  const alive = new Set<string>();
  await new Promise<void>((ready) => {
    void locks.request(`${name} ${owner}`, () => {
      ready();
      return new Promise<void>((resolve) => farewell = resolve);
    });
  });
  const lookWhoLives = async () => {
    alive.clear();
    for (const { name: held } of (await locks.query()).held ?? []) {
      if (held?.startsWith(`${name} tab-`)) alive.add(held.slice(name.length + 1));
    }
  };
  await lookWhoLives();

  function write(stores: string[], change: (transaction: IDBTransaction) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const transaction = db.transaction(stores, "readwrite", { durability: "strict" });
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error("the write was aborted"));
      change(transaction);
    });
  }
  const get = <T>(store: string, key: string) =>
    done(db.transaction(store).objectStore(store).get(key)) as Promise<T | undefined>;
  const writeNote = (note: string, text: string | null) =>
    write(["notes"], (transaction) => {
      const notes = transaction.objectStore("notes");
      if (text === null) notes.delete(note);
      else notes.put(text, note);
    });

  return {
    name: `IndexedDB ${name}`,
    owner,
    isAlive: (other) => alive.has(other),

    async stage(source, limit): Promise<StagedBytes & { blob: Blob }> {
      const hasher = createSha256();
      const parts: BlobPart[] = [];
      let size = 0;
      for await (const chunk of chunksOf(source)) {
        size += chunk.length;
        checkSize(size, limit);
        hasher.update(chunk);
        // A blob's own bytes stay where they are: the browser keeps large ones on disk.
        if (!(source instanceof Blob)) parts.push(new Blob([chunk as Uint8Array<ArrayBuffer>]));
      }
      const blob = source instanceof Blob ? source : new Blob(parts);
      return { size, sha256: hasher.hex(), blob, discard: () => Promise.resolve() };
    },

    digest: (bytes) => sha256Of(bytes),

    async commit(id, staged, text) {
      const { blob } = staged as StagedBytes & { blob: Blob };
      await write(["records", "bytes"], (transaction) => {
        transaction.objectStore("bytes").put(blob, id);
        transaction.objectStore("records").put({ id, text } satisfies Row, id);
      });
    },

    async scan(visit) {
      const transaction = db.transaction(["records", "bytes"]);
      const [rows, keys] = await Promise.all([
        done(transaction.objectStore("records").getAll()) as Promise<Row[]>,
        done(transaction.objectStore("bytes").getAllKeys()) as Promise<string[]>,
      ]);
      // After the rows: a tab that was opened since must not count as dead.
      await lookWhoLives();
      const withBytes = new Set(keys);
      for (const { id, text } of rows) visit({ id, text, hasBytes: withBytes.delete(id) });
      return { unreadable: [], orphans: [...withBytes], foreign: [] };
    },

    read: async (id) => (await get<Row>("records", id))?.text ?? null,

    write: (id, text) =>
      write(["records"], (transaction) => {
        transaction.objectStore("records").put({ id, text } satisfies Row, id);
      }),

    async setAside(id) {
      const text = (await get<Row>("records", id))?.text;
      if (text !== undefined) await writeNote(`broken-${id}`, text);
    },

    async bytes(id): Promise<StoredBytes | null> {
      const blob = await get<Blob>("bytes", id);
      if (!blob) return null;
      const read = async (part: Blob) => new Uint8Array(await part.arrayBuffer());
      return {
        size: blob.size,
        read: () => read(blob),
        slice: (start, end) => read(blob.slice(start, end)),
        async sha256() {
          const hasher = createSha256();
          for await (const chunk of chunksOf(blob)) hasher.update(chunk);
          return hasher.hex();
        },
      };
    },

    remove: (id) =>
      write(["records", "bytes", "notes"], (transaction) => {
        transaction.objectStore("records").delete(id);
        transaction.objectStore("bytes").delete(id);
        transaction.objectStore("notes").delete(`broken-${id}`);
      }),

    removeBytes: (ids) =>
      write(["bytes"], (transaction) => {
        for (const id of ids) transaction.objectStore("bytes").delete(id);
      }),

    sweep: () => Promise.resolve(0), // nothing is written before it is whole

    readNote: async (note) => await get<string>("notes", note) ?? null,

    writeNote,

    lock(lockName, { wait = true, signal } = {}): Promise<HeldLock | null> {
      return new Promise((resolve, reject) => {
        // Web Locks forbid a signal beside ifAvailable.
        const how = wait ? { signal } : { ifAvailable: true };
        locks.request(`${name} lock ${lockName}`, how, (lock) => {
          if (!lock) return resolve(null);
          return new Promise<void>((free) => {
            resolve({ release: () => Promise.resolve(free()) });
          });
        }).catch((error) => error?.name === "AbortError" ? resolve(null) : reject(error));
      });
    },

    close() {
      farewell();
      db.close();
      return Promise.resolve();
    },
  };
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** WebCrypto where it is (secure contexts), our own where it is not. */
async function sha256Of(bytes: Uint8Array): Promise<string> {
  if (globalThis.crypto?.subtle === undefined) {
    const hasher = createSha256();
    hasher.update(bytes);
    return hasher.hex();
  }
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
