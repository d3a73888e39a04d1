/**
 * A lock among processes that share a folder, from nothing but create, list and remove (Deno and Node
 * have no lock call in common). Each contender announces itself by a file of its own name, then looks:
 * whoever sees no other living announcement holds the lock, else takes its own back and tries again.
 * Of two contenders at least one sees the other, so never do both hold it. Names are never used twice,
 * so removing a dead contender's file can't remove a living one's (the flaw of lock files that are
 * deleted when stale). Files are renamed in and out of use rather than made each time: a rename is an
 * eighth of a create's system time.
 */
import type { Clock } from "../../../clock.ts";
import { type FileSystem, systemCode } from "./file_system.ts";
import type { HeldLock, LockOptions } from "../pending_medium.ts";

/** A file that its process no longer touches for this long, as seen by our own monotonic clock, is dead. */
const staleMs = 30_000;
const touchMs = 10_000;
const idleLifeMs = 86_400_000;

/** What locks of one folder have in common. */
export interface LockFolder {
  fs: FileSystem;
  clock: Clock;
  /** Must exist. */
  path: string;
  owner: string;
  isAlive(owner: string): boolean | null;
}

/** Locks by name in one folder. One instance a process and folder: it remembers what it saw stale. */
export class FolderLocks {
  readonly #folder: LockFolder;
  readonly #local = new Map<string, Promise<void>>();
  /** Others' files: last touch, and when we first saw that touch. */
  readonly #seen = new Map<string, { modifiedMs: number; since: number }>();
  /** Our files that announce nothing now. */
  readonly #idle: string[] = [];
  #count = 0;

  constructor(folder: LockFolder) {
    this.#folder = folder;
  }

  /** Takes a lock; null when `wait` is false and it is taken, or when the signal fired. */
  async acquire(name: string, options: LockOptions = {}): Promise<HeldLock | null> {
    const wait = options.wait ?? true;
    // Within the process a chain of promises is enough, and spares the files the contention.
    const before = this.#local.get(name);
    if (before && !wait) return null;
    let open!: () => void;
    const turn = new Promise<void>((resolve) => open = resolve);
    const tail = (before ?? Promise.resolve()).then(() => turn);
    this.#local.set(name, tail);
    const leave = () => {
      open();
      if (this.#local.get(name) === tail) this.#local.delete(name);
    };
    try {
      await before;
      const file = await this.#contend(name, wait, options.signal);
      if (file === null) {
        leave();
        return null;
      }
      return this.#held(file, leave);
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** Ends: removes our files. */
  async close(): Promise<void> {
    const { fs, path } = this.#folder;
    for (const file of this.#idle.splice(0)) await fs.unlink(`${path}/${file}`).catch(() => {});
  }

  /** Removes idle files of processes that are dead, or of another host's that have lain for a day. */
  async sweep(): Promise<void> {
    const { fs, clock, path, isAlive } = this.#folder;
    for (const { name } of await fs.list(path)) {
      const [lock, owner] = name.split(".");
      const alive = lock === "idle" ? isAlive(owner) : true;
      if (alive === true) continue;
      const found = alive === null ? await fs.stat(`${path}/${name}`) : null;
      // Should its process live after all, it makes itself a new one.
      if (found && clock.now() - found.modifiedMs < idleLifeMs) continue;
      await fs.unlink(`${path}/${name}`);
    }
  }

  async #announce(name: string): Promise<string> {
    const { fs, path, owner } = this.#folder;
    const file = `${name}.${owner}.${this.#count++}.lock`;
    const idle = this.#idle.pop();
    try {
      if (idle) await fs.rename(`${path}/${idle}`, `${path}/${file}`);
      else await (await fs.create(`${path}/${file}`)).close();
    } catch (error) {
      if (!idle || systemCode(error) !== "ENOENT") throw error;
      return await this.#announce(name); // somebody has tidied up
    }
    return file;
  }

  async #takeBack(file: string): Promise<void> {
    const { fs, path, owner } = this.#folder;
    const idle = `idle.${owner}.${this.#count++}.lock`;
    try {
      await fs.rename(`${path}/${file}`, `${path}/${idle}`);
      this.#idle.push(idle);
    } catch (error) {
      // We were taken for dead: the lock is another's by now.
      if (systemCode(error) !== "ENOENT") throw error;
    }
  }

  async #contend(name: string, wait: boolean, signal?: AbortSignal): Promise<string | null> {
    const { clock } = this.#folder;
    for (let round = 0;; round++) {
      if (signal?.aborted) return null;
      const file = await this.#announce(name);
      let taken = true;
      try {
        taken = await this.#othersHold(name, file);
      } finally {
        if (taken) await this.#takeBack(file);
      }
      if (!taken) return file;
      // Two that try at once both see each other: a few rounds of chance decide, also without waiting.
      if (!wait && round >= 3) return null;
      await clock.sleep(1 + clock.random() * Math.min(5 * 2 ** Math.min(round, 5), 100), signal);
    }
  }

  async #othersHold(name: string, mine: string): Promise<boolean> {
    const { fs, clock, path, isAlive } = this.#folder;
    let held = false;
    const files = (await fs.list(path)).map((entry) => entry.name);
    for (const file of this.#seen.keys()) if (!files.includes(file)) this.#seen.delete(file);
    for (const file of files) {
      const [lock, owner, , suffix] = file.split(".");
      if (lock !== name || suffix !== "lock" || file === mine) continue;
      const alive = isAlive(owner);
      if (alive !== false) {
        const found = await fs.stat(`${path}/${file}`);
        if (found === null) continue;
        const seen = this.#seen.get(file);
        if (seen?.modifiedMs !== found.modifiedMs) {
          this.#seen.set(file, { modifiedMs: found.modifiedMs, since: clock.monotonic() });
          held = true;
          continue;
        }
        if (clock.monotonic() - seen.since < staleMs) {
          held = true;
          continue;
        }
      }
      this.#seen.delete(file);
      await fs.unlink(`${path}/${file}`);
    }
    return held;
  }

  #held(file: string, leave: () => void): HeldLock {
    const { fs, clock, path } = this.#folder;
    const ended = new AbortController();
    void (async () => {
      while (!ended.signal.aborted) {
        await clock.sleep(touchMs, ended.signal);
        if (!ended.signal.aborted) await fs.touch(`${path}/${file}`).catch(() => {});
      }
    })();
    return {
      release: async () => {
        if (ended.signal.aborted) return;
        ended.abort();
        try {
          await this.#takeBack(file);
        } finally {
          leave();
        }
      },
    };
  }
}
