/**
 * The pending items: saved before they are sent, changed only through the table of transitions.ts, and
 * removed only when the service has them (or a person says so). Everything that reads and then writes
 * does so under the medium's lock, so that several processes or tabs can share one store.
 */
import { SedimentError } from "../errors.ts";
import { checkedBytes } from "./checked_bytes.ts";
import type { Clock } from "./clock.ts";
import type { Say } from "./log.ts";
import { makeRoom } from "./make_room.ts";
import {
  about,
  applyEvent,
  claimed,
  type Draft,
  type EventFacts,
  newItem,
} from "./pending_item.ts";
import type {
  ByteSource,
  HeldLock,
  LockOptions,
  PendingMedium,
  StoredBytes,
} from "./pending_medium.ts";
import { type PendingItem, readRecord, type StartedUpload, writeRecord } from "./pending_record.ts";
import { RemovedBytes } from "./removed_bytes.ts";
import { isClaimLost, repairItem } from "./repair_item.ts";
import type { UploaderSettings } from "./settings.ts";
import { guarded, isFull, locked } from "./store_guard.ts";
import { type ItemEvent, itemTransitions } from "./transitions.ts";
import { identityOf } from "./upload_meta.ts";
import { UnwrittenRecords } from "./unwritten_records.ts";
import { Usage } from "./usage.ts";

/** What a save came to. `duplicate`: this identity was there already, and is `item`. */
export interface Saved {
  status: "saved" | "duplicate";
  item: PendingItem;
  /** Ids of the items that the quota dropped to make room. */
  dropped: string[];
}

/** The parts a store is made of. */
export interface PendingStoreOptions {
  medium: PendingMedium;
  clock: Clock;
  settings: UploaderSettings;
  say: Say;
}

/** See the file's head. */
export class PendingStore {
  readonly #parts: PendingStoreOptions;
  readonly #medium: PendingMedium;
  readonly #usage: Usage;
  readonly #unwritten = new UnwrittenRecords();
  readonly #removed: RemovedBytes;
  #nonces = 0;

  constructor(options: PendingStoreOptions) {
    this.#parts = options;
    this.#medium = options.medium;
    this.#usage = new Usage(options.settings.pending);
    this.#removed = new RemovedBytes(options.medium);
  }

  /** The folder or database. */
  get name(): string {
    return this.#medium.name;
  }

  /**
   * Saves bytes as a waiting item. When this returns, item and bytes survive a crash and a power cut.
   *
   * @throws `pending_full` when the quota or the disk is full, `pending_unusable` when the folder can't
   * be written, `empty_file`
   */
  async save(source: ByteSource, draft: Draft): Promise<Saved> {
    if (!this.#usage.known) await this.list();
    return await this.#guard(async () => {
      const { clock, settings, say } = this.#parts;
      if (source instanceof Uint8Array) {
        // Known before anything is written: the same table saved over and over costs no disk.
        const hash = await this.#medium.digest(source);
        const there = await this.#duplicateOf(source.length, hash, draft);
        if (there) return there;
      }
      const staged = await this.#medium.stage(source, settings.pending.quota_bytes);
      try {
        if (staged.size === 0) throw new SedimentError("empty_file", "the upload has no bytes");
        const id = identityOf(draft.targetUrl, draft.meta, staged.sha256);
        return await this.#locked(async () => {
          const there = await this.#duplicateOf(staged.size, staged.sha256, draft);
          if (there) return there;
          const dropped = await this.#makeRoom(staged.size, id);
          const item = newItem(id, draft, staged.size, staged.sha256, clock.now());
          await this.#medium.commit(id, staged, writeRecord(item));
          this.#unwritten.forget(id);
          this.#usage.put(id, item.size);
          say("saved", { id, size: item.size, ...about(item) });
          return { status: "saved", item, dropped };
        });
      } finally {
        await staged.discard().catch(() => {});
      }
    });
  }

  /**
   * All items, oldest first. What crashes left is put right on the way: half pairs, torn records, claims
   * of the dead. Records of newer versions, foreign files and unreadable ones are left alone and named
   * in the log.
   */
  async list(): Promise<PendingItem[]> {
    await this.#removed.settled();
    return await this.#guard(async () => {
      const { say } = this.#parts;
      if (this.#unwritten.ids.length > 0) await this.#locked(() => this.#writeUnwritten());
      const items: PendingItem[] = [];
      const wrong: string[] = [];
      const scan = await this.#medium.scan(({ id, text, hasBytes }) => {
        const read = readRecord(id, text);
        if (read.kind === "newer") return say("skipped_newer", { id, version: read.version });
        const item = read.kind === "item" ? this.#unwritten.over(id, text) ?? read.item : null;
        if (item && hasBytes && !isClaimLost(item, this.#parts)) items.push(item);
        else wrong.push(id);
      });
      for (const { id, reason } of scan.unreadable) say("unreadable", { id, message: reason });
      if (scan.foreign.length > 0) {
        say("foreign", { count: scan.foreign.length, names: scan.foreign.slice(0, 5) });
      }
      if (wrong.length > 0) {
        await this.#locked(async () => {
          for (const id of wrong) {
            const item = await this.#repair(id);
            if (item) items.push(item);
          }
        });
      }
      this.#usage.reset(items);
      // Instants are written one way, so their texts sort as they do.
      return items.sort((a, b) => compare(a.created_at, b.created_at) || compare(a.id, b.id));
    });
  }

  /**
   * Start-up: removes what unfinished saves and removals of dead processes left (bytes without a record:
   * nobody was told that they were saved, or the service has them), then lists.
   */
  async recover(): Promise<PendingItem[]> {
    await this.#guard(() =>
      this.#locked(async () => {
        const parts = await this.#medium.sweep();
        const { orphans } = await this.#medium.scan(() => {});
        if (orphans.length > 0) await this.#medium.removeBytes(orphans);
        const count = parts + orphans.length;
        if (count > 0) this.#parts.say("recovered", { what: "unfinished saves", count });
      })
    );
    return await this.list();
  }

  /** Ends what goes on in the background. */
  async close(): Promise<void> {
    await this.#removed.settled();
    await this.#medium.close();
  }

  /** One item, or null. */
  async get(id: string): Promise<PendingItem | null> {
    return await this.#guard(() => this.#there(id));
  }

  /**
   * Takes an item for sending: the attempt is spent and written down before any byte leaves, so that a
   * crash in the middle can't make the attempts endless. Null when it isn't there to be taken.
   */
  async claim(id: string, holdMs: number): Promise<PendingItem | null> {
    return await this.#guard(() =>
      this.#locked(async () => {
        const item = await this.#there(id);
        if (!item || !itemTransitions[item.state].claim) return null;
        const { owner } = this.#medium;
        const nonce = `${owner}-${this.#nonces++}`;
        const taken = claimed(item, owner, nonce, this.#parts.clock.now(), holdMs);
        await this.#write(taken);
        return taken;
      })
    );
  }

  /** Writes down what a claimed item's attempt has begun, as long as the claim holds. */
  async begun(id: string, nonce: string, upload: StartedUpload): Promise<void> {
    await this.#guard(() =>
      this.#locked(async () => {
        const item = await this.#there(id);
        if (item?.claim?.nonce === nonce) await this.#write({ ...item, upload });
      })
    );
  }

  /**
   * Lets an event happen to an item, as transitions.ts has it.
   *
   * @returns the item as it is now, or null when it is gone
   */
  async apply(id: string, event: ItemEvent, facts: EventFacts = {}): Promise<PendingItem | null> {
    return await this.#guard(() => this.#locked(() => this.#apply(id, event, facts)));
  }

  /**
   * The bytes of an item, checked against what was saved before any of them can leave the machine.
   *
   * @throws `bytes_missing`, `bytes_changed`
   */
  async bytes(item: PendingItem): Promise<StoredBytes> {
    return await this.#guard(() => checkedBytes(item, this.#medium));
  }

  /** A lock of this store's own, such as the one of the retry service. */
  async lock(name: string, options?: LockOptions): Promise<HeldLock | null> {
    return await this.#guard(() => this.#medium.lock(name, options));
  }

  /** Small state beside the items; null when there is none, or it is torn (it only spares requests). */
  async readNote(name: string): Promise<unknown> {
    const text = await this.#guard(() => this.#medium.readNote(name));
    try {
      return text === null ? null : JSON.parse(text);
    } catch {
      return null;
    }
  }

  /** Writes a note; null removes it. */
  async writeNote(name: string, value: unknown): Promise<void> {
    const text = value === null ? null : JSON.stringify(value);
    await this.#guard(() => this.#medium.writeNote(name, text));
  }

  /** What is kept, as far as this process knows. */
  usage(): { bytes: number; items: number } {
    return { bytes: this.#usage.bytes, items: this.#usage.items };
  }

  async #apply(id: string, event: ItemEvent, facts: EventFacts): Promise<PendingItem | null> {
    const item = await this.#there(id);
    if (!item) return null;
    const { clock, settings } = this.#parts;
    const next = applyEvent(item, event, facts, {
      now: clock.now(),
      random: clock.random,
      intervalSeconds: settings.retry.interval_seconds,
    });
    if (next === item) return item;
    if (next) {
      await this.#write(next);
      return next;
    }
    this.#unwritten.forget(id);
    await this.#medium.remove(id);
    this.#usage.remove(id);
    this.#removed.add(id);
    return null;
  }

  /** The item of a record as it is now; null when there is none that this version can use. */
  async #there(id: string): Promise<PendingItem | null> {
    const text = await this.#medium.read(id);
    if (text === null) return null;
    const read = readRecord(id, text);
    return read.kind === "item" ? this.#unwritten.over(id, text) ?? read.item : null;
  }

  async #write(item: PendingItem): Promise<void> {
    try {
      await this.#medium.write(item.id, writeRecord(item));
      this.#unwritten.forget(item.id);
    } catch (error) {
      const text = isFull(error) ? await this.#medium.read(item.id) : null;
      if (text === null) throw error;
      this.#unwritten.keep(item, text);
      this.#parts.say("full", { id: item.id, message: (error as Error).message });
    }
  }

  async #writeUnwritten(): Promise<void> {
    for (const id of this.#unwritten.ids) {
      const item = await this.#there(id);
      if (item) await this.#write(item);
      else this.#unwritten.forget(id);
    }
  }

  async #repair(id: string): Promise<PendingItem | null> {
    const text = await this.#medium.read(id);
    if (text === null) return null;
    const read = readRecord(id, text);
    if (read.kind === "newer") return null;
    const item = read.kind === "item" ? this.#unwritten.over(id, text) ?? read.item : null;
    const reason = read.kind === "broken" ? read.reason : "";
    const repaired = await repairItem(id, item ?? { reason }, this.#parts);
    if (repaired !== item && repaired) await this.#write(repaired);
    return repaired;
  }

  /** What a save answers when the identity is there; one that has expired is saved anew. */
  async #duplicateOf(size: number, hash: string, draft: Draft): Promise<Saved | null> {
    const id = identityOf(draft.targetUrl, draft.meta, hash);
    const text = await this.#medium.read(id);
    if (text === null) return null;
    const read = readRecord(id, text);
    if (read.kind === "newer") {
      this.#parts.say("skipped_newer", { id, version: read.version });
      return duplicate(heldByNewer(newItem(id, draft, size, hash, this.#parts.clock.now()), read));
    }
    const item = read.kind === "item" ? this.#unwritten.over(id, text) ?? read.item : null;
    if (!item || itemTransitions[item.state].save?.does !== "duplicate") return null;
    this.#parts.say("skipped_duplicate", { id, state: item.state, ...about(item) });
    return duplicate(item);
  }

  async #makeRoom(size: number, forId: string): Promise<string[]> {
    const { settings, say } = this.#parts;
    return await makeRoom(size, forId, {
      medium: this.#medium,
      usage: this.#usage,
      quota: settings.pending,
      drop: async (item) => {
        await this.#apply(item.id, "drop", {});
        say("dropped", { id: item.id, was: item.state, why: "quota", ...about(item) });
      },
    });
  }

  async #locked<T>(action: () => Promise<T>): Promise<T> {
    return await locked(this.#medium, action);
  }

  async #guard<T>(action: () => Promise<T>): Promise<T> {
    return await guarded(action, this.#medium, this.#parts.say);
  }
}

const duplicate = (item: PendingItem): Saved => ({ status: "duplicate", item, dropped: [] });

/** An item as a newer version has it, as far as this one can say. It isn't written down. */
function heldByNewer(item: PendingItem, { version }: { version: number }): PendingItem {
  const message = `a newer version of the uploader (records of version ${version}) has it`;
  return { ...item, last_error: { code: "record_newer", message, at: item.created_at } };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
