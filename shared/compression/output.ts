import { broken, tooLarge } from "./compression_fault.ts";

/** Bytes that grow as a decompressor writes them, up to a limit. */
export class Output {
  bytes: Uint8Array;
  length = 0;
  /** Where the stream that is being written began: copies may not reach behind it. */
  #start = 0;
  readonly #room: number;

  /** @param expected a first guess of the size; @param room most bytes that may be written */
  constructor(expected: number, room: number) {
    this.#room = room;
    this.bytes = new Uint8Array(Math.min(room, Math.max(256, expected)));
  }

  /** Begins another stream behind what was written. */
  begin(): void {
    this.#start = this.length;
  }

  /** Makes room for so many more bytes. */
  reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    if (needed > this.#room) throw tooLarge(this.#room);
    const grown = new Uint8Array(Math.min(this.#room, Math.max(needed, this.bytes.length * 2)));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  /** Appends bytes. */
  append(source: Uint8Array): void {
    this.reserve(source.length);
    this.bytes.set(source, this.length);
    this.length += source.length;
  }

  /** Appends one byte so many times. */
  fill(byte: number, count: number): void {
    this.reserve(count);
    this.bytes.fill(byte, this.length, this.length + count);
    this.length += count;
  }

  /** Appends `count` bytes that stand `distance` before the end; they may overlap what is being written. */
  repeat(distance: number, count: number): void {
    if (distance > this.length - this.#start || distance <= 0) {
      throw broken("compressed bytes refer to what is before their beginning");
    }
    this.reserve(count);
    const bytes = this.bytes;
    const start = this.length;
    if (distance >= count && count > 24) {
      bytes.copyWithin(start, start - distance, start - distance + count);
    } else {
      for (let to = start, from = start - distance, end = start + count; to < end;) {
        bytes[to++] = bytes[from++];
      }
    }
    this.length = start + count;
  }

  /** What was written. */
  done(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}
