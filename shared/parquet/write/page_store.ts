/** Bytes of a segment; a larger page gets one of its own. */
const segmentBytes = 1024 * 1024;

/**
 * Holds the finished pages of a row group in segments that are used again for the next one: arrays that are
 * left to the collector stay in memory for several row groups.
 */
export class PageStore {
  readonly #free: Uint8Array[] = [];
  readonly #used: Uint8Array[] = [];
  #current: Uint8Array | undefined;
  #at = 0;

  /** Room for a page of `size` bytes, valid until {@link clear}. */
  take(size: number): Uint8Array {
    if (size > segmentBytes) return new Uint8Array(size);
    if (this.#current === undefined || this.#at + size > segmentBytes) {
      this.#current = this.#free.pop() ?? new Uint8Array(segmentBytes);
      this.#used.push(this.#current);
      this.#at = 0;
    }
    const room = this.#current.subarray(this.#at, this.#at + size);
    this.#at += size;
    return room;
  }

  /** Takes all rooms back. */
  clear(): void {
    this.#free.push(...this.#used);
    this.#used.length = 0;
    this.#current = undefined;
    this.#at = 0;
  }
}
