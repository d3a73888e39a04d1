/** The records of a pending store, read and written one by one; a full disk doesn't lose what was written. */
import type { Say } from "../log.ts";
import type { PendingMedium } from "./pending_medium.ts";
import { type PendingItem, type ReadRecord, readRecord, writeRecord } from "./pending_record.ts";
import { isFull } from "./store_guard.ts";
import { UnwrittenRecords } from "./unwritten_records.ts";

/** See the file's head. */
export class Records {
  readonly #medium: PendingMedium;
  readonly #say: Say;
  readonly #unwritten = new UnwrittenRecords();

  constructor(medium: PendingMedium, say: Say) {
    this.#medium = medium;
    this.#say = say;
  }

  /** What a record's text says, with the change over it that could not be written yet. */
  understand(id: string, text: string): ReadRecord {
    const read = readRecord(id, text);
    const changed = read.kind === "item" ? this.#unwritten.over(id, text) : null;
    return changed ? { kind: "item", item: changed } : read;
  }

  /** What is there under an id; null when nothing is. */
  async look(id: string): Promise<ReadRecord | null> {
    const text = await this.#medium.read(id);
    return text === null ? null : this.understand(id, text);
  }

  /** The item under an id; null when there is none that this version can use. */
  async item(id: string): Promise<PendingItem | null> {
    const read = await this.look(id);
    return read?.kind === "item" ? read.item : null;
  }

  /** Writes an item down, or keeps it in memory while the disk is full. Under the lock. */
  async write(item: PendingItem): Promise<void> {
    try {
      await this.#medium.write(item.id, writeRecord(item));
      this.#unwritten.forget(item.id);
    } catch (error) {
      const text = isFull(error) ? await this.#medium.read(item.id) : null;
      if (text === null) throw error;
      this.#unwritten.keep(item, text);
      this.#say("full", { id: item.id, message: (error as Error).message });
    }
  }

  /** Whether something is kept in memory only. */
  get behind(): boolean {
    return this.#unwritten.ids.length > 0;
  }

  /** Writes down what is kept in memory. Under the lock. */
  async catchUp(): Promise<void> {
    for (const id of this.#unwritten.ids) {
      const item = await this.item(id);
      if (item) await this.write(item);
      else this.#unwritten.forget(id);
    }
  }

  /** The record was replaced or removed: what is kept over it is void. */
  forget(id: string): void {
    this.#unwritten.forget(id);
  }
}
