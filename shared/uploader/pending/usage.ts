/** What a store holds, against its quota. Exact for one process; others' saves show at the next scan. */
import type { UploaderSettings } from "../settings/settings.ts";

/** Sizes by item. */
export class Usage {
  readonly #quota: UploaderSettings["pending"];
  readonly #sizes = new Map<string, number>();
  #known = false;
  #bytes = 0;

  constructor(quota: UploaderSettings["pending"]) {
    this.#quota = quota;
  }

  /** Whether a scan has been seen. */
  get known(): boolean {
    return this.#known;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get items(): number {
    return this.#sizes.size;
  }

  /** Starts anew from a scan. */
  reset(items: { id: string; size: number }[]): void {
    this.#sizes.clear();
    this.#bytes = 0;
    for (const { id, size } of items) this.put(id, size);
    this.#known = true;
  }

  put(id: string, size: number): void {
    this.remove(id);
    this.#sizes.set(id, size);
    this.#bytes += size;
  }

  remove(id: string): void {
    this.#bytes -= this.#sizes.get(id) ?? 0;
    this.#sizes.delete(id);
  }

  /** Whether one more item of `size` bytes keeps the quota. */
  fits(size: number): boolean {
    return this.items < this.#quota.quota_items && this.#bytes + size <= this.#quota.quota_bytes;
  }
}
