import { invalid } from "./avro_error.ts";

const emptyBytes = new Uint8Array(0);

/**
 * Reads Avro's binary encoding (1.12, "Binary Encoding") from a stretch of bytes and never past its end.
 * Faults carry no place: the caller knows the block, the column tree knows the field.
 */
export class Cursor {
  bytes: Uint8Array;
  position = 0;
  /** Where reading must stop. */
  end: number;
  /** Low half of the value that {@link readLong} read last. */
  low = 0;
  /** High half of it, signed. */
  high = 0;
  /** Where the block that {@link readBlockCount} began must end, −1 where it does not say. */
  blockEnd = -1;

  constructor(bytes: Uint8Array = emptyBytes, position = 0) {
    this.bytes = bytes;
    this.position = position;
    this.end = bytes.length;
  }

  /** Begins anew on other bytes. */
  reset(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.position = 0;
    this.end = bytes.length;
  }

  get remaining(): number {
    return this.end - this.position;
  }

  /** The next byte. */
  readByte(): number {
    if (this.position >= this.end) throw truncated();
    return this.bytes[this.position++];
  }

  /** An `int`: a zig-zag varint of at most 5 bytes and 32 bits. */
  readInt(): number {
    const bytes = this.bytes;
    const first = this.position < this.end ? bytes[this.position] : this.readByte();
    if (first < 0x80) {
      this.position++;
      return (first >>> 1) ^ -(first & 1);
    }
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.readByte();
      if (shift === 28 && byte > 0x0f) throw invalid("an int has more than 32 bits");
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
    }
    throw invalid("an int has more than 32 bits");
  }

  /** A `long`: a zig-zag varint of at most 10 bytes and 64 bits, left in {@link low} and {@link high}. */
  readLong(): void {
    const bytes = this.bytes;
    let at = this.position;
    const end = this.end;
    let low = 0, high = 0;
    for (let shift = 0;; shift += 7) {
      if (at >= end) throw truncated();
      const byte = bytes[at++];
      if (shift < 28) low |= (byte & 0x7f) << shift;
      else if (shift === 28) {
        low |= (byte & 0x7f) << 28;
        high = (byte & 0x7f) >>> 4;
      } else {
        if (shift === 63 && byte > 1) throw invalid("a long has more than 64 bits");
        high |= (byte & 0x7f) << (shift - 32);
      }
      if (byte < 0x80) break;
    }
    this.position = at;
    const sign = -(low & 1);
    this.low = ((low >>> 1) | (high << 31)) ^ sign;
    this.high = (high >>> 1) ^ sign;
  }

  /** A `long` as a number: exact up to 2^53, beyond only good for comparing with limits. */
  readCount(): number {
    const first = this.position < this.end ? this.bytes[this.position] : this.readByte();
    if (first < 0x80) {
      this.position++;
      return (first >>> 1) ^ -(first & 1);
    }
    this.readLong();
    return this.high * 4294967296 + (this.low >>> 0);
  }

  /** A length in bytes that lies within what is left. */
  readLength(): number {
    const length = this.readCount();
    if (length < 0) throw invalid(`a length is negative: ${length}`);
    if (length > this.remaining) {
      throw invalid(`a length of ${length} bytes passes the end, ${this.remaining} are left`);
    }
    return length;
  }

  /** Passes over so many bytes and gives the position of the first. */
  skip(length: number): number {
    if (length > this.remaining) throw truncated();
    const from = this.position;
    this.position = from + length;
    return from;
  }

  /** A view of the next bytes. */
  take(length: number): Uint8Array {
    const from = this.skip(length);
    return this.bytes.subarray(from, from + length);
  }

  /**
   * The count that begins a block of an array or a map, 0 at the end of the value. A negative one is followed
   * by the block's size in bytes, which must lie within what is left.
   *
   * @param minBytes the fewest bytes of an item
   */
  readBlockCount(minBytes: number): number {
    let count = this.readCount();
    this.blockEnd = -1;
    if (count < 0) {
      count = -count;
      if (count >= 2 ** 63) throw invalid("a count is -2^63");
      const length = this.readLength();
      this.blockEnd = this.position + length;
    }
    if (count * minBytes > this.remaining) {
      throw invalid(`${count} items do not fit the ${this.remaining} bytes that are left`);
    }
    return count;
  }
}

function truncated() {
  return invalid("the bytes end within a value");
}
