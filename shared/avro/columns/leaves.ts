import { invalid } from "../avro_error.ts";
import type { Cursor } from "../cursor.ts";
import type { ColumnMemory } from "./column_memory.ts";
import { GrowingBytes, GrowingInts } from "./growing.ts";
import type { ColumnNode } from "./node.ts";
import { checkUtf8 } from "./utf8.ts";

/** What all columns have in common. */
abstract class Leaf implements ColumnNode {
  readonly columns = 1;
  abstract read(cursor: Cursor): void;
  abstract clear(): void;
  stoppedAt(): string {
    return "";
  }
}

/** `null`: no bytes, no values. */
export class NullLeaf extends Leaf {
  readonly kind = "null";
  read(): void {}
  clear(): void {}
}

/** `boolean`: a byte, 0 or 1. */
export class BooleanLeaf extends Leaf {
  readonly kind = "boolean";
  readonly values: GrowingBytes;

  constructor(memory: ColumnMemory) {
    super();
    this.values = new GrowingBytes(memory);
  }

  read(cursor: Cursor): void {
    const byte = cursor.readByte();
    if (byte > 1) throw invalid(`a boolean is ${byte}`);
    this.values.push(byte);
  }

  clear(): void {
    this.values.clear();
  }
}

/** Columns of 32-bit values, and of 64-bit ones as pairs of a low and a high half. */
abstract class IntsLeaf extends Leaf {
  readonly values: GrowingInts;

  constructor(memory: ColumnMemory) {
    super();
    this.values = new GrowingInts(memory);
  }

  protected pushPair(low: number, high: number): void {
    const values = this.values;
    if (values.length + 2 > values.ints.length) values.reserve(2);
    values.ints[values.length++] = low;
    values.ints[values.length++] = high;
  }

  clear(): void {
    this.values.clear();
  }
}

/** `int` and what stands on it. */
export class Int32Leaf extends IntsLeaf {
  readonly kind = "int32";
  read(cursor: Cursor): void {
    this.values.push(cursor.readInt());
  }
}

/** `long` and what stands on it. */
export class Int64Leaf extends IntsLeaf {
  readonly kind = "int64";
  read(cursor: Cursor): void {
    cursor.readLong();
    this.pushPair(cursor.low, cursor.high);
  }
}

/** `time-millis`, checked: DuckDB ends with an internal error when it prints a time out of the day. */
export class TimeMillisLeaf extends IntsLeaf {
  readonly kind = "int32";
  read(cursor: Cursor): void {
    const millis = cursor.readInt();
    if (millis < 0 || millis > 86_400_000) throw outOfDay(`${millis} milliseconds`);
    this.values.push(millis);
  }
}

/** `time-micros`, likewise. */
export class TimeMicrosLeaf extends IntsLeaf {
  readonly kind = "int64";
  read(cursor: Cursor): void {
    cursor.readLong();
    const micros = cursor.high * 4294967296 + (cursor.low >>> 0);
    if (micros < 0 || micros > 86_400_000_000) throw outOfDay(`${micros} microseconds`);
    this.pushPair(cursor.low, cursor.high);
  }
}

/** `float`: the bits as they are, so that every NaN stays the one it was. */
export class FloatLeaf extends IntsLeaf {
  readonly kind = "float";
  read(cursor: Cursor): void {
    const at = cursor.skip(4);
    this.values.push(word(cursor.bytes, at));
  }
}

/** `double`, likewise. */
export class DoubleLeaf extends IntsLeaf {
  readonly kind = "double";
  readonly #pair = new DataView(new ArrayBuffer(8));

  read(cursor: Cursor): void {
    const at = cursor.skip(8);
    this.pushPair(word(cursor.bytes, at), word(cursor.bytes, at + 4));
  }

  /** Takes a `float` of a union of both. */
  readFloat(cursor: Cursor): void {
    const pair = this.#pair;
    pair.setInt32(0, word(cursor.bytes, cursor.skip(4)), true);
    pair.setFloat64(0, pair.getFloat32(0, true), true);
    this.pushPair(pair.getInt32(0, true), pair.getInt32(4, true));
  }
}

/** `enum`: the index of the symbol. */
export class EnumLeaf extends IntsLeaf {
  readonly kind = "enum";
  readonly symbols: readonly string[];

  constructor(memory: ColumnMemory, symbols: readonly string[]) {
    super(memory);
    this.symbols = symbols;
  }

  read(cursor: Cursor): void {
    const index = cursor.readInt();
    if (index < 0 || index >= this.symbols.length) {
      throw invalid(`symbol ${index} of an enum that has ${this.symbols.length}`);
    }
    this.values.push(index);
  }
}

/** `bytes` and `string`: as Parquet's PLAIN encoding has them, each behind its length in four bytes. */
export class BytesLeaf extends Leaf {
  readonly kind = "bytes";
  readonly data: GrowingBytes;
  readonly #text: boolean;

  /** @param text whether the bytes must be UTF-8 */
  constructor(memory: ColumnMemory, text: boolean) {
    super();
    this.data = new GrowingBytes(memory);
    this.#text = text;
  }

  read(cursor: Cursor): void {
    const length = cursor.readLength();
    const from = cursor.position;
    const source = cursor.bytes;
    const data = this.data;
    data.reserve(length + 4);
    const target = data.bytes;
    const to = data.length + 4;
    target[to - 4] = length;
    target[to - 3] = length >>> 8;
    target[to - 2] = length >>> 16;
    target[to - 1] = length >>> 24;
    if (length < 48) {
      let all = 0;
      for (let n = 0; n < length; n++) {
        const byte = source[from + n];
        all |= byte;
        target[to + n] = byte;
      }
      if (all > 0x7f && this.#text) checkUtf8(source, from, from + length);
    } else {
      if (this.#text) checkUtf8(source, from, from + length);
      target.set(source.subarray(from, from + length), to);
    }
    data.length = to + length;
    cursor.position = from + length;
  }

  clear(): void {
    this.data.clear();
  }
}

/** `fixed` and what is stored at a fixed length: the bytes in a row. */
export class FixedLeaf extends Leaf {
  readonly kind = "fixed";
  readonly size: number;
  readonly data: GrowingBytes;

  constructor(memory: ColumnMemory, size: number) {
    super();
    this.size = size;
    this.data = new GrowingBytes(memory);
  }

  read(cursor: Cursor): void {
    const size = this.size;
    const from = cursor.skip(size);
    const data = this.data;
    data.reserve(size);
    if (size > 32) data.bytes.set(cursor.bytes.subarray(from, from + size), data.length);
    else {
      for (let n = 0; n < size; n++) data.bytes[data.length + n] = cursor.bytes[from + n];
    }
    data.length += size;
  }

  clear(): void {
    this.data.clear();
  }
}

function outOfDay(time: string) {
  return invalid(`a time of day is ${time} after midnight`);
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}
