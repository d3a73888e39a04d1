import { brokenMetadata } from "./broken_metadata.ts";

/** Reads the numbers of the compact protocol from bytes [position, end). Throws `invalid_parquet`. */
export class ThriftCursor {
  readonly bytes: Uint8Array;
  position: number;
  readonly end: number;

  constructor(bytes: Uint8Array, position = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.position = position;
    this.end = end;
  }

  /** An unsigned varint below 2^32. */
  varint32(): number {
    let result = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.position >= this.end) throw brokenMetadata("the metadata ends inside a number");
      const byte = this.bytes[this.position++];
      if (shift === 28 && byte > 15) {
        throw brokenMetadata("a number of the metadata takes more than 32 bits");
      }
      result |= (byte & 127) << shift;
      if (byte < 128) return result >>> 0;
    }
    throw brokenMetadata("a number of the metadata takes more than 32 bits");
  }

  /** A zigzag varint of up to 32 bits (i16, i32 and enums). */
  i32(): number {
    if (this.position < this.end) {
      const byte = this.bytes[this.position];
      if (byte < 128) {
        this.position++;
        return (byte >>> 1) ^ -(byte & 1);
      }
    }
    const n = this.varint32();
    return (n >>> 1) ^ -(n & 1);
  }

  /** A zigzag varint of up to 64 bits, as a number; beyond ±(2^53 - 1) it is refused. */
  i64(): number {
    let low = 0, high = 0, top = 0;
    for (let count = 0; count < 10; count++) {
      if (this.position >= this.end) throw brokenMetadata("the metadata ends inside a number");
      const byte = this.bytes[this.position++];
      if (count < 4) low |= (byte & 127) << (7 * count);
      else if (count < 8) high |= (byte & 127) << (7 * (count - 4));
      else top |= byte & 127;
      if (byte < 128) {
        // low holds 28 bits, high the next 28; the sign is bit 0
        if (top !== 0 || high >= 2 ** 26) {
          throw brokenMetadata("a number of the metadata is beyond 2^53");
        }
        const half = high * 2 ** 27 + (low >>> 1);
        return low & 1 ? -half - 1 : half;
      }
    }
    throw brokenMetadata("a number of the metadata takes more than 64 bits");
  }

  /** One signed byte. */
  i8(): number {
    if (this.position >= this.end) throw brokenMetadata("the metadata ends inside a number");
    return (this.bytes[this.position++] << 24) >> 24;
  }

  /** A little-endian double. */
  double(): number {
    const start = this.position;
    if (start + 8 > this.end) throw brokenMetadata("the metadata ends inside a number");
    this.position = start + 8;
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + start, 8).getFloat64(0, true);
  }

  /** Passes over a varint. */
  skipVarint(): void {
    for (let count = 0; count < 10; count++) {
      if (this.position >= this.end) throw brokenMetadata("the metadata ends inside a number");
      if (this.bytes[this.position++] < 128) return;
    }
    throw brokenMetadata("a number of the metadata takes more than 64 bits");
  }

  /** Passes over bytes. */
  skipBytes(count: number): void {
    if (count > this.end - this.position) throw brokenMetadata("the metadata ends inside a field");
    this.position += count;
  }
}
