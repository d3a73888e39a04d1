import { wire } from "./wire.ts";

const encoder = new TextEncoder();

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
    this.raw(bytes);
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
    this.raw(bytes);
  }

  /** A whole struct as another wrote it, without a field header. */
  raw(bytes: Uint8Array): void {
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
