/**
 * Pending pairs in a folder: `<id>.bin` and `<id>.json`, and `.sediment/` with `tmp`, `locks` and `notes`.
 * The bytes come first and go last, so a record always has its bytes; every file is written aside,
 * synced, and renamed into place. Works on Deno and Node; names are plain lower-case hex, so that no
 * file system (NTFS, APFS, exFAT) reads them in two ways.
 */
import type { Clock } from "../../../clock.ts";
import type { FileSystem } from "./file_system.ts";
import { FolderLocks } from "./folder_lock.ts";
import type { MediumScan, PendingMedium, StagedBytes, StoredBytes } from "../pending_medium.ts";
import { checkSize, chunksOf, pieceBytes } from "./source_chunks.ts";

const pairName = /^([0-9a-f]{32})\.(bin|json)$/;
/** Unfinished files of other hosts, whose processes can't be looked at, are swept after this long. */
const foreignPartMs = 86_400_000;

const hasRecord = 1, hasBytes = 2;
/** Records read in one go. */
const scanSlice = 64;

/** Options of {@link openFolderMedium}. */
export interface FolderMediumOptions {
  /** The pending folder; made when it isn't there. */
  path: string;
  fs: FileSystem;
  clock: Clock;
  /** See owner.ts. */
  owner: string;
  isAlive(owner: string): boolean | null;
}

/** Bytes in `tmp`; null once they have been renamed into place. */
interface StagedPart extends StagedBytes {
  path: string | null;
}

/** A medium on a folder. */
export async function openFolderMedium(options: FolderMediumOptions): Promise<PendingMedium> {
  const { fs, clock, owner, isAlive } = options;
  const root = options.path.replace(/[\\/]+$/, "") || "/";
  const tmp = `${root}/.sediment/tmp`;
  const notes = `${root}/.sediment/notes`;
  const lockPath = `${root}/.sediment/locks`;
  for (const folder of [root, tmp, notes, lockPath]) await fs.makeFolder(folder);
  const locks = new FolderLocks({ fs, clock, path: lockPath, owner, isAlive });
  const bin = (id: string) => `${root}/${id}.bin`;
  const json = (id: string) => `${root}/${id}.json`;
  let parts = 0;

  async function writeAside(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
    const path = `${tmp}/${owner}.${parts++}.part`;
    const file = await fs.create(path);
    try {
      try {
        for await (const chunk of chunks) await file.write(chunk);
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (error) {
      await fs.unlink(path).catch(() => {}); // swept later where this fails too
      throw error;
    }
    return path;
  }

  /** Bytes of a file in pieces. */
  async function* pieces(path: string, size: number) {
    for (let at = 0; at < size; at += pieceBytes) {
      yield await fs.readBytes(path, at, Math.min(size, at + pieceBytes));
    }
  }

  return {
    name: root,
    owner,
    isAlive,

    async stage(source, limit): Promise<StagedBytes> {
      const hasher = fs.hasher();
      let size = 0;
      async function* counted() {
        for await (const chunk of chunksOf(source)) {
          size += chunk.length;
          checkSize(size, limit);
          hasher.update(chunk);
          yield chunk;
        }
      }
      const path = await writeAside(counted());
      const staged: StagedPart = {
        size,
        sha256: hasher.hex(),
        path,
        discard: async () => {
          if (staged.path !== null) await fs.unlink(staged.path);
        },
      };
      return staged;
    },

    digest(bytes) {
      const hasher = fs.hasher();
      hasher.update(bytes);
      return Promise.resolve(hasher.hex());
    },

    async commit(id, staged, text) {
      const part = await writeAside([new TextEncoder().encode(text)]);
      const bytesPart = staged as StagedPart;
      await fs.rename(bytesPart.path!, bin(id));
      bytesPart.path = null;
      // Were only the record's name to survive a power cut, there would be a record without bytes.
      await fs.syncFolder(root);
      await fs.rename(part, json(id));
      await fs.syncFolder(root);
    },

    async scan(visit): Promise<MediumScan> {
      const found: MediumScan = { unreadable: [], orphans: [], foreign: [] };
      // One map of names to what is there: with 10,000 pairs every needless copy shows.
      const pairs = new Map<string, number>();
      // What isn't a file in a record's place (a link that some tool put there): its bytes are no orphan.
      const strange = new Set<string>();
      for (const { name, kind } of await fs.list(root)) {
        const isPair = pairName.test(name);
        if (isPair && kind !== "file") strange.add(name.slice(0, 32));
        if (isPair && kind === "file") {
          const id = name.slice(0, 32), half = name.endsWith(".bin") ? hasBytes : hasRecord;
          pairs.set(id, (pairs.get(id) ?? 0) | half);
        } else if (name !== ".sediment" && !name.endsWith(".json.broken")) {
          found.foreign.push(name);
        }
      }
      let slice: string[] = [];
      const readSlice = async () => {
        const texts = await fs.readTexts(slice.map(json));
        for (const [i, id] of slice.entries()) {
          const text = texts[i];
          if (typeof text === "string") {
            visit({ id, text, hasBytes: (pairs.get(id)! & hasBytes) !== 0 });
          } else if (text !== null) found.unreadable.push({ id, reason: text.message });
        }
        slice = [];
      };
      for (const [id, halves] of pairs) {
        if ((halves & hasRecord) === 0) {
          if (!strange.has(id)) found.orphans.push(id);
        } else if (slice.push(id) === scanSlice) await readSlice();
      }
      await readSlice();
      return found;
    },

    read: (id) => fs.readText(json(id)),

    async write(id, text) {
      await fs.rename(await writeAside([new TextEncoder().encode(text)]), json(id));
    },

    async setAside(id) {
      // A copy: until the record is replaced, it is what tells the bytes from an orphan's.
      const text = await fs.readText(json(id));
      if (text === null) return;
      const part = await writeAside([new TextEncoder().encode(text)]);
      await fs.rename(part, `${json(id)}.broken`);
    },

    async bytes(id): Promise<StoredBytes | null> {
      const path = bin(id);
      const found = await fs.stat(path);
      if (found?.kind !== "file") return null;
      return {
        size: found.size,
        read: () => fs.readBytes(path, 0, found.size),
        slice: (start, end) => fs.readBytes(path, start, Math.min(end, found.size)),
        async sha256() {
          const hasher = fs.hasher();
          for await (const piece of pieces(path, found.size)) hasher.update(piece);
          return hasher.hex();
        },
      };
    },

    remove: (id) => fs.unlink(json(id)),

    async removeBytes(ids) {
      // Were the removal of the bytes to survive a power cut that the record's did not, the item would
      // come back as a record without bytes. One sync serves all that have gathered.
      await fs.syncFolder(root);
      for (const id of ids) {
        await fs.unlink(bin(id));
        await fs.unlink(`${json(id)}.broken`);
      }
    },

    async sweep() {
      // What the process before us wrote becomes durable: a power cut takes back at most the attempts of
      // one process, not those of a whole row of crashes.
      await fs.syncFolder(root);
      await locks.sweep();
      let swept = 0;
      for (const { name } of await fs.list(tmp)) {
        const partOwner = name.split(".")[0];
        if (partOwner === owner) continue;
        const alive = isAlive(partOwner);
        if (alive === true) continue;
        if (alive === null) {
          const found = await fs.stat(`${tmp}/${name}`);
          if (!found || clock.now() - found.modifiedMs < foreignPartMs) continue;
        }
        await fs.unlink(`${tmp}/${name}`);
        swept++;
      }
      return swept;
    },

    readNote: (name) => fs.readText(`${notes}/${name}.json`),

    async writeNote(name, text) {
      const path = `${notes}/${name}.json`;
      if (text === null) return await fs.unlink(path);
      await fs.rename(await writeAside([new TextEncoder().encode(text)]), path);
    },

    lock: (name, lockOptions) => locks.acquire(name, lockOptions),
    close: () => locks.close(),
  };
}
