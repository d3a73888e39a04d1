import type { ColumnMemory } from "./column_memory.ts";

const none8 = new Uint8Array(0);
const none32 = new Int32Array(0);

/** Bytes that are appended to. They double in size, and let go of everything when cleared. */
export class GrowingBytes {
  bytes = none8;
  length = 0;
  readonly #memory: ColumnMemory;

  constructor(memory: ColumnMemory) {
    this.#memory = memory;
  }

  push(byte: number): void {
    if (this.length === this.bytes.length) this.reserve(1);
    this.bytes[this.length++] = byte;
  }

  /** Makes room for so many more bytes. */
  reserve(more: number): void {
    const needed = this.length + more;
    const before = this.bytes.length;
    if (needed <= before) return;
    const size = Math.max(needed, before * 2, 64);
    this.#memory.take(size - before);
    const grown = new Uint8Array(size);
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  /** What was appended. */
  view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  clear(): void {
    this.bytes = none8;
    this.length = 0;
  }
}

/** 32-bit integers that are appended to. */
export class GrowingInts {
  ints = none32;
  length = 0;
  readonly #memory: ColumnMemory;

  constructor(memory: ColumnMemory) {
    this.#memory = memory;
  }

  push(value: number): void {
    if (this.length === this.ints.length) this.reserve(1);
    this.ints[this.length++] = value;
  }

  /** Makes room for so many more. */
  reserve(more: number): void {
    const needed = this.length + more;
    const before = this.ints.length;
    if (needed <= before) return;
    const size = Math.max(needed, before * 2, 16);
    this.#memory.take((size - before) * 4);
    const grown = new Int32Array(size);
    grown.set(this.ints.subarray(0, this.length));
    this.ints = grown;
  }

  view(): Int32Array {
    return this.ints.subarray(0, this.length);
  }

  clear(): void {
    this.ints = none32;
    this.length = 0;
  }
}
