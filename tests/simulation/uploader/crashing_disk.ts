/**
 * A disk with the promises of a real one and no more: bytes are safe after `sync`, names after
 * `syncFolder`, a rename is whole or not at all. A power cut keeps any subset of the rest.
 */
import type { EntryKind } from "../../../shared/uploader/pending/media/file_system.ts";
import type { VirtualTime } from "./virtual_time.ts";

interface Inode {
  bytes: Uint8Array;
  /** How many of them are safe. */
  safe: number;
  modifiedMs: number;
}

/** A change of names that is not safe yet. */
interface Change {
  folders: string[];
  apply(names: Map<string, Inode>): void;
}

/** See the file's head. Paths are absolute with `/`; folders exist by being made, for good. */
export class CrashingDisk {
  readonly #time: VirtualTime;
  readonly #folders = new Set<string>(["/"]);
  #names = new Map<string, Inode>();
  #safeNames = new Map<string, Inode>();
  #changes: Change[] = [];

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  makeFolder(path: string): void {
    for (let at = path; at.length > 1; at = folderOf(at)) this.#folders.add(at);
  }

  list(path: string): { name: string; kind: EntryKind }[] {
    const below = (other: string) => folderOf(other) === path;
    return [
      ...[...this.#names.keys()].filter(below).map((name) => ({ name, kind: "file" as const })),
      ...[...this.#folders].filter((other) => other !== "/" && below(other))
        .map((name) => ({ name, kind: "folder" as const })),
    ].map(({ name, kind }) => ({ name: name.slice(path.length + 1), kind }));
  }

  create(path: string): Inode {
    if (this.#names.has(path)) throw systemError("EEXIST", path);
    if (!this.#folders.has(folderOf(path))) throw systemError("ENOENT", path);
    const inode: Inode = { bytes: new Uint8Array(), safe: 0, modifiedMs: this.#time.now() };
    this.#change([folderOf(path)], (names) => names.set(path, inode));
    return inode;
  }

  append(inode: Inode, bytes: Uint8Array): void {
    const longer = new Uint8Array(inode.bytes.length + bytes.length);
    longer.set(inode.bytes);
    longer.set(bytes, inode.bytes.length);
    inode.bytes = longer;
    inode.modifiedMs = this.#time.now();
  }

  sync(inode: Inode): void {
    inode.safe = inode.bytes.length;
  }

  read(path: string): Uint8Array | null {
    return this.#names.get(path)?.bytes ?? null;
  }

  stat(path: string): { size: number; modifiedMs: number; kind: EntryKind } | null {
    const inode = this.#names.get(path);
    if (!inode) return null;
    return { size: inode.bytes.length, modifiedMs: inode.modifiedMs, kind: "file" };
  }

  rename(from: string, to: string): void {
    const inode = this.#names.get(from);
    if (!inode) throw systemError("ENOENT", from);
    this.#change([folderOf(from), folderOf(to)], (names) => {
      names.delete(from);
      names.set(to, inode);
    });
  }

  unlink(path: string): void {
    if (!this.#names.has(path)) return;
    this.#change([folderOf(path)], (names) => names.delete(path));
  }

  touch(path: string): void {
    const inode = this.#names.get(path);
    if (!inode) throw systemError("ENOENT", path);
    inode.modifiedMs = this.#time.now();
  }

  syncFolder(path: string): void {
    const safe = this.#changes.filter((change) => change.folders.includes(path));
    for (const change of safe) change.apply(this.#safeNames);
    this.#changes = this.#changes.filter((change) => !change.folders.includes(path));
  }

  /** The power fails: of names and bytes that were not synced, chance keeps some. */
  cutPower(): void {
    const time = this.#time;
    // Journals lose a tail; without one any change may be lost for itself.
    const tail = time.chance(0.5);
    const kept = time.between(0, this.#changes.length);
    this.#changes.forEach((change, i) => {
      if (tail ? i < kept : time.chance(0.5)) change.apply(this.#safeNames);
    });
    this.#changes = [];
    const locks = [...this.#names].filter(([path]) => isLock(path) && time.chance(0.5));
    this.#names = new Map([...this.#safeNames, ...locks]);
    for (const inode of new Set(this.#names.values())) {
      if (inode.safe === inode.bytes.length) continue;
      const length = time.between(inode.safe, inode.bytes.length);
      inode.bytes = inode.bytes.slice(0, length);
      // The length may have come through without the bytes.
      if (time.chance(0.3)) inode.bytes.fill(0, inode.safe);
      inode.safe = length;
    }
  }

  #change(folders: string[], apply: Change["apply"]): void {
    apply(this.#names);
    // Locks are never synced and always changing: chance alone decides which outlive a power cut.
    if (folders.every((folder) => folder.endsWith("/locks"))) return;
    this.#changes.push({ folders, apply });
  }
}

function isLock(path: string): boolean {
  return path.endsWith(".lock");
}

/** An error as the system gives it. */
export function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}
