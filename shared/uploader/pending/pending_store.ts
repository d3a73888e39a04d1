/**
 * The pending items: saved before they are sent, changed only through the table of transitions.ts, and
 * removed only when the service has them (or a person says so). Everything that reads and then writes
 * does so under the medium's lock, so that several processes or tabs can share one store.
 */
import { SedimentError } from "../../errors.ts";
import { checkedBytes } from "./checked_bytes.ts";
import type { Clock } from "../../clock.ts";
import { findDuplicate } from "./find_duplicate.ts";
import type { Say } from "../log.ts";
import { evict } from "./evict.ts";
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
import { type PendingItem, type StartedUpload, writeRecord } from "./pending_record.ts";
import { Records } from "./records.ts";
import { RemovedBytes } from "./removed_bytes.ts";
import type { UploaderSettings } from "../settings/settings.ts";
import { guarded, locked } from "./store_guard.ts";
import { recover, type RecoverTools, sweepLeftovers } from "./recover.ts";
import { type ItemEvent, itemTransitions } from "../transitions.ts";
import { identityOf } from "../upload_meta.ts";
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
  readonly #records: Records;
  readonly #removed: RemovedBytes;
  #nonces = 0;

  constructor(options: PendingStoreOptions) {
    this.#parts = options;
    this.#medium = options.medium;
    this.#usage = new Usage(options.settings.pending);
    this.#removed = new RemovedBytes(options.medium);
    this.#records = new Records(options.medium, options.say);
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
          const dropped = await this.#evict(staged.size, id);
          const item = newItem(id, draft, staged.size, staged.sha256, clock.now());
          await this.#medium.commit(id, staged, writeRecord(item));
          this.#records.forget(id);
          this.#usage.put(id, item.size);
          say("saved", { id, size: item.size, ...about(item) });
          return { status: "saved", item, dropped };
        });
      } finally {
        await staged.discard().catch(() => {});
      }
    });
  }

  /** All items, oldest first; see recover.ts. */
  async list(): Promise<PendingItem[]> {
    await this.#removed.settled();
    return await this.#guard(async () => {
      const items = await recover(this.#tools);
      this.#usage.reset(items);
      return items;
    });
  }

  /** Start-up: what unfinished saves and removals left is removed, then all is listed. */
  async recover(): Promise<PendingItem[]> {
    await this.#guard(() => sweepLeftovers(this.#tools));
    return await this.list();
  }

  /** Ends what goes on in the background. */
  async close(): Promise<void> {
    await this.#removed.settled();
    await this.#medium.close();
  }

  /** One item, or null. */
  async get(id: string): Promise<PendingItem | null> {
    return await this.#guard(() => this.#records.item(id));
  }

  /**
   * Takes an item for sending: the attempt is spent and written down before any byte leaves, so that a
   * crash in the middle can't make the attempts endless. Null when it isn't there to be taken.
   */
  async claim(id: string, holdMs: number): Promise<PendingItem | null> {
    return await this.#guard(() =>
      this.#locked(async () => {
        const item = await this.#records.item(id);
        if (!item || !itemTransitions[item.state].claim) return null;
        const { owner } = this.#medium;
        const nonce = `${owner}-${this.#nonces++}`;
        const taken = claimed(item, owner, nonce, this.#parts.clock.now(), holdMs);
        await this.#records.write(taken);
        return taken;
      })
    );
  }

  /** Writes down what a claimed item's attempt has begun, as long as the claim holds. */
  async begun(id: string, nonce: string, upload: StartedUpload): Promise<void> {
    await this.#guard(() =>
      this.#locked(async () => {
        const item = await this.#records.item(id);
        if (item?.claim?.nonce === nonce) await this.#records.write({ ...item, upload });
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
    const item = await this.#records.item(id);
    if (!item) return null;
    const { clock, settings } = this.#parts;
    const next = applyEvent(item, event, facts, {
      now: clock.now(),
      random: clock.random,
      intervalSeconds: settings.retry.interval_seconds,
    });
    if (next === item) return item;
    if (next) {
      await this.#records.write(next);
      return next;
    }
    this.#records.forget(id);
    await this.#medium.remove(id);
    this.#usage.remove(id);
    this.#removed.add(id);
    return null;
  }

  async #duplicateOf(size: number, hash: string, draft: Draft): Promise<Saved | null> {
    const item = await findDuplicate(draft, size, hash, this.#tools);
    return item && { status: "duplicate", item, dropped: [] };
  }

  get #tools(): RecoverTools {
    return { ...this.#parts, records: this.#records };
  }

  async #evict(size: number, forId: string): Promise<string[]> {
    const { settings, say } = this.#parts;
    return await evict(size, forId, {
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
