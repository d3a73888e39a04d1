/**
 * A simulated process: its clock, its view of the disk, its network. When it dies, nothing that it waits
 * for ever comes.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../../../shared/clock.ts";
import type { Fetch } from "../../../shared/uploader/send/exchange.ts";
import type { FileSystem } from "../../../shared/uploader/pending/media/file_system.ts";
import type { FakeService } from "../../uploader/support/fake_service.ts";
import { type CrashingDisk, systemError } from "./crashing_disk.ts";
import type { VirtualTime } from "./virtual_time.ts";

/** What may break under a process. */
export interface Breakage {
  /** Probability, at each file-system call, that the process dies in it. */
  crash: number;
  /** Probability that a call that writes finds the disk full, or fails otherwise. */
  full: number;
  io: number;
  /** Syncs do nothing: a sabotage. */
  noSync: boolean;
}

const never = () => new Promise<never>(() => {});

/** See the file's head. */
export class SimulatedProcess {
  alive = true;
  readonly owner: string;
  readonly #time: VirtualTime;
  readonly #disk: CrashingDisk;
  readonly #breakage: () => Breakage;
  readonly #onCrash: (process: SimulatedProcess) => void;
  /** Calls of the file system so far. */
  calls = 0;

  constructor(parts: {
    owner: string;
    time: VirtualTime;
    disk: CrashingDisk;
    breakage: () => Breakage;
    onCrash: (process: SimulatedProcess) => void;
  }) {
    this.owner = parts.owner;
    this.#time = parts.time;
    this.#disk = parts.disk;
    this.#breakage = parts.breakage;
    this.#onCrash = parts.onCrash;
  }

  /** Waits, as long as the process lives. */
  async #wait(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => this.#time.after(milliseconds, resolve));
    if (!this.alive) await never();
  }

  /** Dies now, in the middle of whatever it does. */
  die(): Promise<never> {
    this.alive = false;
    this.#onCrash(this);
    return never();
  }

  readonly clock: Clock = {
    now: () => this.#time.now(),
    monotonic: () => this.#time.elapsed,
    random: () => this.#time.random(),
    sleep: (milliseconds, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const wake = () => this.alive && resolve();
        this.#time.after(milliseconds, wake);
        signal?.addEventListener("abort", wake, { once: true });
      }),
  };

  /** One call: it takes a while, and the process may die before, in the middle of, or after it. */
  async #call<T>(
    action: () => T,
    options: { partly?: () => void; writes?: boolean; path: string },
  ): Promise<T> {
    if (!this.alive) return await never();
    this.calls++;
    await this.#wait(this.#time.random() * 2);
    const { crash, full, io } = this.#breakage();
    if (this.#time.chance(crash)) {
      const moment = this.#time.between(0, 2);
      if (moment === 1) options.partly?.();
      if (moment === 2) action();
      return await this.die();
    }
    if (options.writes && this.#time.chance(full)) throw systemError("ENOSPC", options.path);
    if (this.#time.chance(io)) throw systemError("EIO", options.path);
    return action();
  }

  readonly fs: FileSystem = {
    makeFolder: (path) => this.#call(() => this.#disk.makeFolder(path), { path }),
    list: (path) => this.#call(() => this.#disk.list(path), { path }),
    create: async (path) => {
      const isLock = path.endsWith(".lock");
      const inode = await this.#call(() => this.#disk.create(path), { path, writes: !isLock });
      return {
        write: (bytes) =>
          this.#call(() => this.#disk.append(inode, bytes), {
            path,
            writes: true,
            partly: () =>
              this.#disk.append(inode, bytes.subarray(0, this.#time.between(0, bytes.length))),
          }),
        sync: () =>
          this.#call(() => {
            if (!this.#breakage().noSync) this.#disk.sync(inode);
          }, { path }),
        close: () => this.alive ? Promise.resolve() : never(),
      };
    },
    readText: async (path) => {
      const bytes = await this.#call(() => this.#disk.read(path), { path });
      return bytes === null ? null : new TextDecoder().decode(bytes);
    },
    readTexts: async (paths) => {
      await this.#call(() => {}, { path: "many" });
      return paths.map((path) => {
        const bytes = this.#disk.read(path);
        return bytes === null ? null : new TextDecoder().decode(bytes);
      });
    },
    readBytes: async (path, start, end) => {
      const bytes = await this.#call(() => this.#disk.read(path), { path });
      if (bytes === null) throw systemError("ENOENT", path);
      return bytes.slice(start, end) as Uint8Array<ArrayBuffer>;
    },
    stat: (path) => this.#call(() => this.#disk.stat(path), { path }),
    rename: (from, to) => this.#call(() => this.#disk.rename(from, to), { path: from }),
    unlink: (path) => this.#call(() => this.#disk.unlink(path), { path }),
    touch: (path) => this.#call(() => this.#disk.touch(path), { path }),
    syncFolder: (path) =>
      this.#call(() => {
        if (!this.#breakage().noSync) this.#disk.syncFolder(path);
      }, { path }),
    hasher() {
      const hash = createHash("sha256");
      return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest("hex") };
    },
  };

  /** A fetch through a slow network to a service. */
  fetchFrom(service: FakeService): Fetch {
    return async (url, init) => {
      if (!this.alive) return await never();
      const { signal } = init;
      const aborted = new Promise<never>((_, reject) => {
        if (signal?.aborted) reject(signal.reason);
        signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
      aborted.catch(() => {});
      const exchange = async () => {
        await this.#wait(this.#time.random() * 200);
        const answered = service.fetch(url, { ...init, signal: undefined }).then(
          (response) => ({ response }),
          (error) => ({ error }),
        );
        const answer = await answered;
        await this.#wait(this.#time.random() * 200);
        if ("error" in answer) throw answer.error;
        return answer.response;
      };
      return await Promise.race([exchange(), aborted]);
    };
  }
}
