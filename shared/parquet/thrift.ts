/**
 * The Thrift compact protocol, as far as Parquet's metadata uses it, reader and writer.
 * Source: apache/thrift doc/specs/thrift-compact-protocol.md. Input is hostile: every read is bounded by the
 * end of the bytes, containers by what is left of them (an element takes a byte at least), nesting by a depth.
 */
import { SedimentError } from "../errors.ts";

/** Wire types of fields and list elements. A field of type bool holds its value in the type itself. */
export const wire = {
  stop: 0,
  true: 1,
  false: 2,
  i8: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  binary: 8,
  list: 9,
  set: 10,
  map: 11,
  struct: 12,
  uuid: 13,
} as const;

/** The numbers of an enum that are known, below 32: bit n stands for number n. */
export interface KnownNumbers {
  /** What the enum is called in messages. */
  name: string;
  bits: number;
}

/** Deepest nesting of structs and containers that is followed. Parquet's own metadata needs 8. */
const maxDepth = 32;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * Strings seen before, by a hash of their bytes. Merges parse thousands of footers with the same names, and
 * comparing 10 bytes with a known string costs a tenth of decoding them. Bounded: 1,024 strings of 64 bytes.
 */
const seen: string[] = new Array(1024).fill("");

function broken(detail: string): SedimentError {
  return new SedimentError("invalid_parquet", detail);
}

/** Reads one struct after another from bytes [position, end). Throws `invalid_parquet`. */
export class ThriftReader {
  readonly bytes: Uint8Array;
  position: number;
  readonly end: number;
  /** Id of the field whose header was read last; set by {@link nextField}. */
  fieldId = 0;
  #depth = 0;

  constructor(bytes: Uint8Array, position = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.position = position;
    this.end = end;
  }

  /** Enters a struct: gives the outer field id, to be handed to {@link leaveStruct}. */
  enterStruct(): number {
    if (++this.#depth > maxDepth) {
      throw broken(`the metadata nests deeper than ${maxDepth} structs`);
    }
    const outer = this.fieldId;
    this.fieldId = 0;
    return outer;
  }

  /** Leaves a struct after its stop field. */
  leaveStruct(outer: number): void {
    this.#depth--;
    this.fieldId = outer;
  }

  /** Reads a field header: sets {@link fieldId} and gives the wire type, 0 at the end of the struct. */
  nextField(): number {
    if (this.position >= this.end) throw broken("the metadata ends inside a struct");
    const byte = this.bytes[this.position++];
    if (byte === 0) return 0;
    const type = byte & 15;
    const delta = byte >> 4;
    if (delta !== 0) this.fieldId += delta;
    else this.fieldId = this.i32();
    if (this.fieldId < 0 || this.fieldId > 0x7fff) {
      throw broken(`the metadata holds a field of the id ${this.fieldId}`);
    }
    if (type === 0 || type > wire.uuid) {
      throw broken(`the metadata holds a field of the unknown type ${type}`);
    }
    return type;
  }

  /** An unsigned varint below 2^32. */
  varint32(): number {
    let result = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.position >= this.end) throw broken("the metadata ends inside a number");
      const byte = this.bytes[this.position++];
      if (shift === 28 && byte > 15) {
        throw broken("a number of the metadata takes more than 32 bits");
      }
      result |= (byte & 127) << shift;
      if (byte < 128) return result >>> 0;
    }
    throw broken("a number of the metadata takes more than 32 bits");
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
      if (this.position >= this.end) throw broken("the metadata ends inside a number");
      const byte = this.bytes[this.position++];
      if (count < 4) low |= (byte & 127) << (7 * count);
      else if (count < 8) high |= (byte & 127) << (7 * (count - 4));
      else top |= byte & 127;
      if (byte < 128) {
        // low holds 28 bits, high the next 28; the sign is bit 0
        if (top !== 0 || high >= 2 ** 26) throw broken("a number of the metadata is beyond 2^53");
        const half = high * 2 ** 27 + (low >>> 1);
        return low & 1 ? -half - 1 : half;
      }
    }
    throw broken("a number of the metadata takes more than 64 bits");
  }

  /** One signed byte. */
  i8(): number {
    if (this.position >= this.end) throw broken("the metadata ends inside a number");
    return (this.bytes[this.position++] << 24) >> 24;
  }

  /** A little-endian double. */
  double(): number {
    const start = this.position;
    if (start + 8 > this.end) throw broken("the metadata ends inside a number");
    this.position = start + 8;
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + start, 8).getFloat64(0, true);
  }

  /** A field that the format gives as an i8; others have their own width. */
  int8(type: number): number {
    this.expect(type, wire.i8);
    return this.i8();
  }

  /** An i16 field. */
  int16(type: number): number {
    this.expect(type, wire.i16);
    const value = this.i32();
    if (value !== (value << 16) >> 16) throw broken(`the number ${value} takes more than 16 bits`);
    return value;
  }

  /** An i32 field. */
  int32(type: number): number {
    this.expect(type, wire.i32);
    return this.i32();
  }

  /** An i64 field. */
  int64(type: number): number {
    this.expect(type, wire.i64);
    return this.i64();
  }

  /**
   * A field of an enum, i32 on the wire. Readers refuse a file for a number that they don't know, wherever it
   * stands, so it is `unsupported_parquet`.
   */
  enumeration(type: number, known: KnownNumbers): number {
    this.expect(type, wire.i32);
    return this.enumElement(known);
  }

  /** A number of an enum inside a list. */
  enumElement(known: KnownNumbers): number {
    const value = this.i32();
    if (value >= 0 && value < 32 && (known.bits >>> value) & 1) return value;
    throw new SedimentError("unsupported_parquet", `the ${known.name} ${value} is not known`);
  }

  /** A boolean field: its type is its value. */
  boolean(type: number): boolean {
    if (type !== wire.true && type !== wire.false) {
      throw broken(
        `field ${this.fieldId} of the metadata has type ${type} where a boolean belongs`,
      );
    }
    return type === wire.true;
  }

  /** A boolean inside a list: one byte, 1 is true (some writers put 0 for false, the spec says 2). */
  booleanElement(): boolean {
    return this.i8() === 1;
  }

  /** Bytes with their length before them, as a view. */
  binary(type: number = wire.binary): Uint8Array {
    this.expect(type, wire.binary);
    const length = this.varint32();
    const start = this.position;
    if (length > this.end - start) {
      throw broken(`the metadata ends inside ${length} bytes of a field`);
    }
    this.position = start + length;
    return this.bytes.subarray(start, start + length);
  }

  /** A UTF-8 string; `maxBytes` bounds it. */
  string(type: number = wire.binary, maxBytes = 2 ** 31): string {
    this.expect(type, wire.binary);
    const length = this.varint32();
    const start = this.position;
    if (length > this.end - start) {
      throw broken(`the metadata ends inside a string of ${length} bytes`);
    }
    if (length > maxBytes) {
      throw broken(
        `a name or string of the metadata has ${length} bytes, over the ${maxBytes} allowed`,
      );
    }
    this.position = start + length;
    if (length > 64) return this.#decode(start, length);
    const bytes = this.bytes;
    let hash = length;
    for (let i = start; i < start + length; i++) hash = (Math.imul(hash, 31) + bytes[i]) | 0;
    const slot = (hash ^ (hash >>> 15)) & 1023;
    const candidate = seen[slot];
    if (candidate.length === length) {
      let i = 0;
      while (i < length && candidate.charCodeAt(i) === bytes[start + i]) i++;
      if (i === length && length > 0 && isAscii(bytes, start, length)) return candidate;
    }
    return seen[slot] = this.#decode(start, length);
  }

  #decode(start: number, length: number): string {
    try {
      return decoder.decode(this.bytes.subarray(start, start + length));
    } catch (cause) {
      throw new SedimentError("invalid_parquet", "a name or string of the metadata is not UTF-8", {
        cause,
      });
    }
  }

  /**
   * A list header; gives the count of elements, each of `element` type, which the caller then reads.
   * @param maxCount refuses longer lists before anything is allocated for them
   */
  list(type: number, element: number, maxCount = 2 ** 31): number {
    this.expect(type, wire.list);
    const { count, elementType } = this.#listHeader();
    if (count === 0) return 0;
    if (elementType !== element && !(element === wire.true && elementType === wire.false)) {
      throw broken(
        `list ${this.fieldId} of the metadata holds type ${elementType}, ${element} was expected`,
      );
    }
    if (count > maxCount) {
      throw broken(
        `list ${this.fieldId} of the metadata has ${count} elements, over the ${maxCount} allowed`,
      );
    }
    return count;
  }

  #listHeader(): { count: number; elementType: number } {
    if (this.position >= this.end) throw broken("the metadata ends at a list");
    const byte = this.bytes[this.position++];
    const count = byte >> 4 === 15 ? this.varint32() : byte >> 4;
    if (count > this.end - this.position) {
      throw broken(`a list of the metadata declares ${count} elements, more than there are bytes`);
    }
    return { count, elementType: byte & 15 };
  }

  /** Throws unless a field has the wire type that the format gives it. */
  expect(type: number, expected: number): void {
    if (type !== expected) {
      throw broken(
        `field ${this.fieldId} of the metadata has type ${type}, ${expected} was expected`,
      );
    }
  }

  /**
   * Notes a field of the open struct: adds its bit to `seen`. A field that is there twice is refused.
   * @returns the new `seen`
   */
  note(seen: number): number {
    if (this.fieldId > 31) return seen;
    const bit = 1 << this.fieldId;
    if (seen & bit) throw broken(`field ${this.fieldId} of the metadata is there twice`);
    return seen | bit;
  }

  /** Passes over a value of any type. */
  skip(type: number, inContainer = false): void {
    switch (type) {
      case wire.true:
      case wire.false:
        if (inContainer) this.#advance(1);
        return;
      case wire.i8:
        return this.#advance(1);
      case wire.i16:
      case wire.i32:
      case wire.i64:
        return this.#skipVarint();
      case wire.double:
        return this.#advance(8);
      case wire.uuid:
        return this.#advance(16);
      case wire.binary:
        return this.#advance(this.varint32());
      case wire.struct: {
        const outer = this.enterStruct();
        for (let field = this.nextField(); field !== 0; field = this.nextField()) this.skip(field);
        return this.leaveStruct(outer);
      }
      case wire.list:
      case wire.set: {
        if (++this.#depth > maxDepth) throw broken("the metadata nests too deeply");
        const { count, elementType } = this.#listHeader();
        for (let i = 0; i < count; i++) this.skip(elementType, true);
        this.#depth--;
        return;
      }
      case wire.map:
        return this.#skipMap();
    }
    throw broken(`the metadata holds a value of the unknown type ${type}`);
  }

  #skipMap(): void {
    if (++this.#depth > maxDepth) throw broken("the metadata nests too deeply");
    const count = this.varint32();
    if (count > 0) {
      if (this.position >= this.end) throw broken("the metadata ends at a map");
      const types = this.bytes[this.position++];
      if (count > this.end - this.position) {
        throw broken(`a map of the metadata declares ${count} entries, more than there are bytes`);
      }
      for (let i = 0; i < count; i++) {
        this.skip(types >> 4, true);
        this.skip(types & 15, true);
      }
    }
    this.#depth--;
  }

  #skipVarint(): void {
    for (let count = 0; count < 10; count++) {
      if (this.position >= this.end) throw broken("the metadata ends inside a number");
      if (this.bytes[this.position++] < 128) return;
    }
    throw broken("a number of the metadata takes more than 64 bits");
  }

  #advance(count: number): void {
    if (count > this.end - this.position) throw broken("the metadata ends inside a field");
    this.position += count;
  }
}

/** A mask of field ids for {@link ThriftReader.note}. */
export function fields(...ids: number[]): number {
  return ids.reduce((mask, id) => mask | (1 << id), 0);
}

/** Throws `invalid_parquet` unless all `required` fields were noted in `seen`. */
export function requireFields(seen: number, required: number, what: string): void {
  const missing = required & ~seen;
  if (missing === 0) return;
  throw broken(`${what} lacks the field ${31 - Math.clz32(missing)}, which it must have`);
}

function isAscii(bytes: Uint8Array, start: number, length: number): boolean {
  for (let i = start; i < start + length; i++) if (bytes[i] > 127) return false;
  return true;
}

/** Writes structs into a buffer that grows. Fields are written in rising order of id. */
export class ThriftWriter {
  #bytes: Uint8Array;
  #length = 0;
  #lastId = 0;
  readonly #outer: number[] = [];

  /** @param capacity bytes to start with */
  constructor(capacity = 1024) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** What was written, as a view that the next write may overwrite. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Forgets what was written and keeps the buffer. */
  reset(): void {
    this.#length = 0;
    this.#lastId = 0;
    this.#outer.length = 0;
  }

  #byte(value: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = value;
  }

  #grow(more: number): void {
    const bigger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    bigger.set(this.view());
    this.#bytes = bigger;
  }

  #varint(value: number): void {
    while (value >= 128) {
      this.#byte((value & 127) | 128);
      value = Math.floor(value / 128);
    }
    this.#byte(value);
  }

  #field(id: number, type: number): void {
    const delta = id - this.#lastId;
    if (delta > 0 && delta < 16) this.#byte((delta << 4) | type);
    else {
      this.#byte(type);
      this.zigzag(id);
    }
    this.#lastId = id;
  }

  /** A signed integer of up to 53 bits as a zigzag varint, without a field header (list elements). */
  zigzag(value: number): void {
    // ±2^53 doubled would lose its last bit: the first seven bits are taken off before doubling
    const magnitude = value < 0 ? -(value + 1) : value;
    const first = ((magnitude % 64) << 1) | (value < 0 ? 1 : 0);
    const rest = Math.floor(magnitude / 64);
    if (rest === 0) return this.#byte(first);
    this.#byte(first | 128);
    this.#varint(rest);
  }

  /** A string or bytes with the length before them, without a field header (list elements). */
  bytesElement(value: Uint8Array | string): void {
    const bytes = typeof value === "string" ? encoder.encode(value) : value;
    this.#varint(bytes.length);
    if (this.#length + bytes.length > this.#bytes.length) this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** A boolean inside a list. */
  booleanElement(value: boolean): void {
    this.#byte(value ? wire.true : wire.false);
  }

  /** Fields; each is left out when its value is undefined. */
  i8(id: number, value: number | undefined): void {
    if (value === undefined) return;
    this.#field(id, wire.i8);
    this.#byte(value & 255);
  }

  i16(id: number, value: number | undefined): void {
    if (value === undefined) return;
    this.#field(id, wire.i16);
    this.zigzag(value);
  }

  i32(id: number, value: number | undefined): void {
    if (value === undefined) return;
    this.#field(id, wire.i32);
    this.zigzag(value);
  }

  i64(id: number, value: number | undefined): void {
    if (value === undefined) return;
    this.#field(id, wire.i64);
    this.zigzag(value);
  }

  double(id: number, value: number | undefined): void {
    if (value === undefined) return;
    this.#field(id, wire.double);
    if (this.#length + 8 > this.#bytes.length) this.#grow(8);
    new DataView(this.#bytes.buffer).setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  boolean(id: number, value: boolean | undefined): void {
    if (value !== undefined) this.#field(id, value ? wire.true : wire.false);
  }

  bytes(id: number, value: Uint8Array | string | undefined): void {
    if (value === undefined) return;
    this.#field(id, wire.binary);
    this.bytesElement(value);
  }

  /** A list's header; the elements follow by the methods without an id. */
  list(id: number, element: number, count: number): void {
    this.#field(id, wire.list);
    if (count < 15) this.#byte((count << 4) | element);
    else {
      this.#byte(0xf0 | element);
      this.#varint(count);
    }
  }

  /** Opens a struct as a field, or as a list element when `id` is left out; close it with {@link end}. */
  begin(id?: number): void {
    if (id !== undefined) this.#field(id, wire.struct);
    this.#outer.push(this.#lastId);
    this.#lastId = 0;
  }

  /** A struct as a field, from the bytes of another file's (field headers and stop included). */
  rawStruct(id: number, bytes: Uint8Array): void {
    this.#field(id, wire.struct);
    if (this.#length + bytes.length > this.#bytes.length) this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Closes the struct that is open, or the outermost one. */
  end(): void {
    this.#byte(wire.stop);
    this.#lastId = this.#outer.pop() ?? 0;
  }
}
