import { SedimentError } from "../../../errors.ts";
import { brokenMetadata } from "./broken_metadata.ts";
import { stringAt } from "./known_strings.ts";
import { ThriftCursor } from "./thrift_cursor.ts";
import { wire } from "./wire.ts";

/** The numbers of an enum that are known, below 32: bit n stands for number n. */
export interface KnownNumbers {
  /** What the enum is called in messages. */
  name: string;
  bits: number;
}

/**
 * Most entries of lists that are kept as objects of their own, of all lists together. A chunk has few of them; but one takes
 * 3 bytes of the metadata at least, and 50 and more of memory.
 */
const maxEntries = 500_000;

/** Deepest nesting of structs and containers that is followed. Parquet's own metadata needs 8. */
const maxDepth = 32;

/**
 * Reads one struct after another. Input is hostile: every read is bounded by the end of the bytes, containers by what
 * is left of them (an element takes a byte at least), nesting by a depth. Throws `invalid_parquet`.
 */
export class ThriftReader extends ThriftCursor {
  /** Id of the field whose header was read last; set by {@link nextField}. */
  fieldId = 0;
  #depth = 0;
  #entries = 0;

  /** Enters a struct: gives the outer field id, to be handed to {@link leaveStruct}. */
  enterStruct(): number {
    if (++this.#depth > maxDepth) {
      throw brokenMetadata(`the metadata nests deeper than ${maxDepth} structs`);
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
    if (this.position >= this.end) throw brokenMetadata("the metadata ends inside a struct");
    const byte = this.bytes[this.position++];
    if (byte === 0) return 0;
    const type = byte & 15;
    const delta = byte >> 4;
    if (delta !== 0) this.fieldId += delta;
    else this.fieldId = this.i32();
    // parquet-format's extensions stand in field 32767, whose id on the wire (FF FF 01) is no i16 of Thrift's
    if (this.fieldId < -0x8000 || this.fieldId > 0x7fff) {
      throw brokenMetadata(`the metadata holds a field of the id ${this.fieldId}`);
    }
    if (type === 0 || type > wire.uuid) {
      throw brokenMetadata(`the metadata holds a field of the unknown type ${type}`);
    }
    return type;
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
    if (value !== (value << 16) >> 16) {
      throw brokenMetadata(`the number ${value} takes more than 16 bits`);
    }
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
      throw brokenMetadata(
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
      throw brokenMetadata(`the metadata ends inside ${length} bytes of a field`);
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
      throw brokenMetadata(`the metadata ends inside a string of ${length} bytes`);
    }
    if (length > maxBytes) {
      throw brokenMetadata(
        `a name or string of the metadata has ${length} bytes, over the ${maxBytes} allowed`,
      );
    }
    this.position = start + length;
    return stringAt(this.bytes, start, length);
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
      throw brokenMetadata(
        `list ${this.fieldId} of the metadata holds type ${elementType}, ${element} was expected`,
      );
    }
    if (count > maxCount) {
      throw brokenMetadata(
        `list ${this.fieldId} of the metadata has ${count} elements, over the ${maxCount} allowed`,
      );
    }
    return count;
  }

  /** A list header of structs that are kept. */
  structs(type: number, maxCount: number): number {
    const count = this.list(type, wire.struct, maxCount);
    this.#entries += count;
    if (this.#entries <= maxEntries) return count;
    throw new SedimentError(
      "unsupported_parquet",
      `the metadata's lists have over ${maxEntries} entries`,
    );
  }

  #listHeader(): { count: number; elementType: number } {
    if (this.position >= this.end) throw brokenMetadata("the metadata ends at a list");
    const byte = this.bytes[this.position++];
    const count = byte >> 4 === 15 ? this.varint32() : byte >> 4;
    if (count > this.end - this.position) {
      throw brokenMetadata(
        `a list of the metadata declares ${count} elements, more than there are bytes`,
      );
    }
    return { count, elementType: byte & 15 };
  }

  /** Throws unless a field has the wire type that the format gives it. */
  expect(type: number, expected: number): void {
    if (type !== expected) {
      throw brokenMetadata(
        `field ${this.fieldId} of the metadata has type ${type}, ${expected} was expected`,
      );
    }
  }

  /**
   * Whether an optional field has the wire type that the format gives it. One of another type is passed over, as the
   * code does that Thrift generates: to that the field isn't there.
   */
  is(type: number, expected: number): boolean {
    if (type === expected) return true;
    this.skip(type);
    return false;
  }

  /** The same of a boolean, whose type is its value; undefined where it is none. */
  optionalBoolean(type: number): boolean | undefined {
    if (type === wire.true || type === wire.false) return type === wire.true;
    this.skip(type);
    return undefined;
  }

  /**
   * Notes a field of the open struct: adds its bit to `seen`. A field that is there twice is refused.
   * @returns the new `seen`
   */
  note(seen: number): number {
    if (this.fieldId < 0 || this.fieldId > 31) return seen;
    const bit = 1 << this.fieldId;
    if (seen & bit) throw brokenMetadata(`field ${this.fieldId} of the metadata is there twice`);
    return seen | bit;
  }

  /** Passes over a value of any type. */
  skip(type: number, inContainer = false): void {
    switch (type) {
      case wire.true:
      case wire.false:
        if (inContainer) this.skipBytes(1);
        return;
      case wire.i8:
        return this.skipBytes(1);
      case wire.i16:
      case wire.i32:
      case wire.i64:
        return this.skipVarint();
      case wire.double:
        return this.skipBytes(8);
      case wire.uuid:
        return this.skipBytes(16);
      case wire.binary:
        return this.skipBytes(this.varint32());
      case wire.struct: {
        const outer = this.enterStruct();
        for (let field = this.nextField(); field !== 0; field = this.nextField()) this.skip(field);
        return this.leaveStruct(outer);
      }
      case wire.list:
      case wire.set: {
        if (++this.#depth > maxDepth) throw brokenMetadata("the metadata nests too deeply");
        const { count, elementType } = this.#listHeader();
        for (let i = 0; i < count; i++) this.skip(elementType, true);
        this.#depth--;
        return;
      }
      case wire.map:
        return this.#skipMap();
    }
    throw brokenMetadata(`the metadata holds a value of the unknown type ${type}`);
  }

  #skipMap(): void {
    if (++this.#depth > maxDepth) throw brokenMetadata("the metadata nests too deeply");
    const count = this.varint32();
    if (count > 0) {
      if (this.position >= this.end) throw brokenMetadata("the metadata ends at a map");
      const types = this.bytes[this.position++];
      if (count > this.end - this.position) {
        throw brokenMetadata(
          `a map of the metadata declares ${count} entries, more than there are bytes`,
        );
      }
      for (let i = 0; i < count; i++) {
        this.skip(types >> 4, true);
        this.skip(types & 15, true);
      }
    }
    this.#depth--;
  }
}
