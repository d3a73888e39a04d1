/**
 * `ARROW:schema` with further fields of text (Arrow Columnar.rst, "Encapsulated message format"; format/Message.fbs,
 * format/Schema.fbs). A flatbuffer's offsets lead forward only, so what is new stands before all that was there: a message,
 * a schema and a list of fields that refer to what follows, which stays as it is, byte for byte.
 */

/** What marks a message of ours, in bytes that no table uses; behind it, how long the part before the old one is. */
const mark = [0x73, 0x64, 0x6d, 0x74];

/** Fields of a message, of a schema and of a field, by their slots. */
const messageSlots = { version: 0, headerType: 1, header: 2 };
const schemaSlots = { endianness: 0, fields: 1, metadata: 2, features: 3 };

/** Schema.fbs, union Type; Message.fbs, union MessageHeader. */
const utf8 = 5, schemaHeader = 1;

/**
 * The message with required fields of text behind its own; undefined where it is no schema.
 *
 * @param base64 as the key's value is
 */
export function withTextFields(base64: string, names: readonly string[]): string | undefined {
  try {
    return encode(extended(decode(base64), names));
  } catch {
    return undefined; // no base64, or offsets outside of the bytes
  }
}

/** The message that {@link withTextFields} was given; undefined where it is none of its making. */
export function withoutFields(base64: string): string | undefined {
  try {
    const bytes = decode(base64);
    if (mark.some((byte, i) => bytes[4 + i] !== byte)) return undefined;
    const from = new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true);
    return from % 8 === 0 && from < bytes.length ? encode(bytes.subarray(from)) : undefined;
  } catch {
    return undefined;
  }
}

function extended(old: Uint8Array, names: readonly string[]): Uint8Array {
  const view = new DataView(old.buffer, old.byteOffset, old.length);
  const message = tableAt(view, view.getUint32(0, true));
  const header = message(messageSlots.header);
  const kind = message(messageSlots.headerType);
  if (header === undefined || kind === undefined || view.getUint8(kind) !== schemaHeader) {
    throw new RangeError("the message is no schema");
  }
  const schema = tableAt(view, targetOf(view, header));
  const fields = targetsIn(view, schema(schemaSlots.fields));
  const version = message(messageSlots.version);
  const endianness = schema(schemaSlots.endianness);
  const refer = (slot: number) => {
    const place = schema(slot);
    return place === undefined ? undefined : targetOf(view, place);
  };

  const out = new Front();
  out.reserve(16); // the root's offset, the mark, the length
  const root = out.table([
    { size: 2, value: version === undefined ? 0 : view.getInt16(version, true) },
    { size: 1, value: schemaHeader },
    { size: 4 },
  ]);
  const made = out.table([
    { size: 2, value: endianness === undefined ? 0 : view.getInt16(endianness, true) },
    { size: 4 },
    { size: 4 },
    { size: 4 },
  ]);
  const list = out.vector(fields.length + names.length);
  const added = names.map((name) => {
    // name, nullable, type_type, type, dictionary, children
    const field = out.table([
      { size: 4 },
      { size: 1, value: 0 },
      { size: 1, value: utf8 },
      { size: 4 },
      { size: 0 },
      { size: 4 },
    ]);
    out.point(field.slots[0], out.text(name));
    out.point(field.slots[3], out.table([]).at);
    out.point(field.slots[5], out.vector(0).at);
    return field.at;
  });
  out.align(8);
  const front = out.length;
  out.point(0, root.at);
  out.point(root.slots[2], made.at);
  out.point(made.slots[1], list.at);
  for (const [slot, own] of [[2, schemaSlots.metadata], [3, schemaSlots.features]]) {
    const target = refer(own);
    if (target === undefined) out.forget(made, slot);
    else out.point(made.slots[slot], front + target);
  }
  fields.forEach((field, i) => out.point(list.at + 4 + 4 * i, front + field));
  added.forEach((field, i) => out.point(list.at + 4 + 4 * (fields.length + i), field));
  const bytes = new Uint8Array(front + old.length);
  bytes.set(out.bytes());
  bytes.set(mark, 4);
  new DataView(bytes.buffer).setUint32(8, front, true);
  bytes.set(old, front);
  return bytes;
}

/** The flatbuffer of a message in base64, without what stands before it. */
function decode(base64: string): Uint8Array {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  // since Arrow 0.15 the length stands behind a continuation marker
  const start = view.getUint32(0, true) === 0xffffffff ? 8 : 4;
  const length = view.getUint32(start - 4, true);
  if (length === 0 || start + length > bytes.length) throw new RangeError("the message is cut off");
  return bytes.slice(start, start + length);
}

function encode(flatbuffer: Uint8Array): string {
  const length = Math.ceil(flatbuffer.length / 8) * 8;
  const bytes = new Uint8Array(8 + length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0xffffffff, true);
  view.setUint32(4, length, true);
  bytes.set(flatbuffer, 8);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** Where a table has the field of a slot; undefined where that has its default. */
function tableAt(view: DataView, at: number): (slot: number) => number | undefined {
  const vtable = at - view.getInt32(at, true);
  const size = view.getUint16(vtable, true);
  return (slot) => {
    const place = 4 + 2 * slot;
    const offset = place + 1 < size ? view.getUint16(vtable + place, true) : 0;
    return offset === 0 ? undefined : at + offset;
  };
}

function targetOf(view: DataView, place: number): number {
  return place + view.getUint32(place, true);
}

/** What the elements of a vector refer to. */
function targetsIn(view: DataView, place: number | undefined): number[] {
  if (place === undefined) return [];
  const at = targetOf(view, place);
  const count = view.getUint32(at, true);
  if (4 * count > view.byteLength) throw new RangeError("a vector runs past the message");
  return Array.from({ length: count }, (_, i) => targetOf(view, at + 4 + 4 * i));
}

/** A table that was written, and where its fields are. */
interface WrittenTable {
  at: number;
  vtable: number;
  slots: number[];
}

/** Writes tables, vectors and texts one behind the other; references are set afterwards. */
class Front {
  #bytes = new Uint8Array(1024);
  length = 0;

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  reserve(bytes: number): number {
    const at = this.length;
    this.length += bytes;
    while (this.length > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    return at;
  }

  align(to: number): void {
    this.reserve((to - this.length % to) % to);
  }

  /** @param fields by slot, each with its size, 0 where there is none, and its value where it is no reference */
  table(fields: readonly { size: number; value?: number }[]): WrittenTable {
    this.align(4);
    const vtable = this.reserve(4 + 2 * fields.length);
    this.align(4);
    const at = this.reserve(4);
    const slots = fields.map(({ size }) => {
      this.align(Math.max(1, size));
      return this.reserve(size);
    });
    const view = this.#view();
    view.setInt32(at, at - vtable, true);
    view.setUint16(vtable, 4 + 2 * fields.length, true);
    view.setUint16(vtable + 2, this.length - at, true);
    fields.forEach(({ size, value = 0 }, i) => {
      view.setUint16(vtable + 4 + 2 * i, size === 0 ? 0 : slots[i] - at, true);
      if (size === 1) view.setUint8(slots[i], value);
      if (size === 2) view.setInt16(slots[i], value, true);
    });
    return { at, vtable, slots };
  }

  /** A vector of references. */
  vector(count: number): { at: number } {
    this.align(4);
    const at = this.reserve(4 + 4 * count);
    this.#view().setUint32(at, count, true);
    return { at };
  }

  text(value: string): number {
    this.align(4);
    const bytes = new TextEncoder().encode(value);
    const at = this.reserve(4 + bytes.length + 1);
    this.#view().setUint32(at, bytes.length, true);
    this.#bytes.set(bytes, at + 4);
    return at;
  }

  /** Has a field refer to what stands behind it. */
  point(place: number, target: number): void {
    this.#view().setUint32(place, target - place, true);
  }

  /** Has a table be without the field of a slot. */
  forget({ vtable }: WrittenTable, slot: number): void {
    this.#view().setUint16(vtable + 4 + 2 * slot, 0, true);
  }

  #view(): DataView {
    return new DataView(this.#bytes.buffer);
  }
}
