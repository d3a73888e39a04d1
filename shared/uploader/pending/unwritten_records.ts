/**
 * Changes of items that could not be written down because the disk is full. Sending frees space, so it
 * must go on then; the counts kept here keep it bounded. A change holds only over the record that it was
 * made from: once another process has written or removed that, the change is void.
 */
import type { PendingItem } from "./pending_record.ts";

/** See the file's head. */
export class UnwrittenRecords {
  readonly #changes = new Map<string, { item: PendingItem; over: string }>();

  /** Ids with a change that waits to be written. */
  get ids(): string[] {
    return [...this.#changes.keys()];
  }

  /** The changed item over this record's text; null when there is none. */
  over(id: string, text: string): PendingItem | null {
    const change = this.#changes.get(id);
    if (!change) return null;
    if (change.over === text) return change.item;
    this.#changes.delete(id);
    return null;
  }

  /** Keeps a change made over this text. */
  keep(item: PendingItem, text: string): void {
    this.#changes.set(item.id, { item, over: text });
  }

  forget(id: string): void {
    this.#changes.delete(id);
  }
}
