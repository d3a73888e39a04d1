import { broken } from "../compression_fault.ts";

/**
 * A bit stream that is read from its end (RFC 8878, 4.1): the highest set bit of the last byte marks where it
 * begins. Past the first byte it gives zeros and {@link left} turns negative, which the caller judges.
 */
export class ReverseBits {
  /** Bits that were not read; negative when more were asked for than there are. */
  left: number;
  readonly #bytes: Uint8Array;
  readonly #start: number;

  /** @param from the first byte; @param to past the last */
  constructor(bytes: Uint8Array, from: number, to: number) {
    if (to <= from || bytes[to - 1] === 0) {
      throw broken("zstandard: a bit stream lacks its end mark");
    }
    this.#bytes = bytes;
    this.#start = from;
    this.left = (to - from) * 8 - Math.clz32(bytes[to - 1]) + 23;
  }

  /** The next `count` bits (at most 24) as a number, the first of them highest. */
  read(count: number): number {
    const value = this.peek(count);
    this.left -= count;
    return value;
  }

  /** The same without moving on. */
  peek(count: number): number {
    let low = this.left - count;
    let missing = 0;
    if (low < 0) {
      missing = -low;
      if (missing >= count) return 0;
      low = 0;
    }
    const bytes = this.#bytes;
    const at = this.#start + (low >> 3);
    const word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    return ((word >>> (low & 7)) & ((1 << (count - missing)) - 1)) << missing;
  }
}
