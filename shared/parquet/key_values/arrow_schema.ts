/**
 * `ARROW:schema`: the Arrow schema that a file was written from, as an IPC message in base64 (Arrow Columnar.rst;
 * format/Schema.fbs). It holds what Parquet's own types do not: dictionaries, time zones by name, extension types.
 */
import { withoutRange } from "./pandas.ts";

/**
 * A schema that can be compared with others. The message is read when that is asked for: most files of a table have the
 * very same, and reading one for the first time takes 2 ms of a cold process.
 */
export class ArrowSchema {
  /** What it was read from. */
  readonly source: string;
  #read: ReadSchema | null | undefined;

  constructor(base64: string) {
    this.source = base64;
  }

  /** Whether both mean the same, but for what pandas says of the rows of one file. */
  equals(other: ArrowSchema): boolean {
    if (this.source === other.source) return true;
    const text = this.#schema?.text;
    return text !== undefined && text === other.#schema?.text;
  }

  /** The message in base64, without what pandas says of rows; undefined where it isn't one that is known in full. */
  get value(): string | undefined {
    try {
      if (!atob(this.source).includes("pandas")) return this.source;
    } catch {
      return undefined; // not base64
    }
    return this.#schema?.value;
  }

  get #schema(): ReadSchema | null {
    return this.#read ??= readSchema(this.source) ?? null;
  }
}

/** What a message says. */
interface ReadSchema {
  /** Equal for schemas that mean the same. */
  text: string;
  /** The message in base64. */
  value: string;
}

/** Tables of a message that are looked at: it may refer to one from many places. */
const mostTables = 50_000;

/** Fields nest no deeper: Parquet's own do not. */
const deepest = 64;

/** Reads the message; undefined where it isn't one that is known in full. */
function readSchema(base64: string): ReadSchema | undefined {
  try {
    const text = atob(base64);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return new MessageReader(bytes, base64).schema();
  } catch {
    // not base64, offsets outside of the bytes, a type of a later version
    return undefined;
  }
}

/** A table: where it stands, and where its fields do. */
interface Table {
  at: number;
  slots: number[];
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Scalars of the types in order of their fields; Schema.fbs, union Type. */
const typeFields: Record<number, ("i32" | "i16" | "bool" | "string" | "i32s")[]> = {
  1: [],
  2: ["i32", "bool"],
  3: ["i16"],
  4: [],
  5: [],
  6: [],
  7: ["i32", "i32", "i32"],
  8: ["i16"],
  9: ["i16", "i32"],
  10: ["i16", "string"],
  11: ["i16"],
  12: [],
  13: [],
  14: ["i16", "i32s"],
  15: ["i32"],
  16: ["i32"],
  17: ["bool"],
  18: ["i16"],
  19: [],
  20: [],
  21: [],
  22: [],
  23: [],
  24: [],
  25: [],
  26: [],
};

class MessageReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #tables = 0;
  readonly #source: string;
  /** The whole message, in which pandas' words are replaced; undefined where there are none. */
  #cleaned: Uint8Array | undefined;

  constructor(bytes: Uint8Array, source: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#source = source;
  }

  schema(): ReadSchema {
    // since Arrow 0.15 the length stands behind a continuation marker
    const start = this.#view.getUint32(0, true) === 0xffffffff ? 8 : 4;
    const message = this.#table(start + this.#view.getUint32(start, true));
    if (this.#scalar(message, 1, "u8") !== 1) throw new RangeError("the message is no schema");
    const schema = this.#child(message, 2)!;
    const text = JSON.stringify([
      this.#scalar(schema, 0, "i16"),
      this.#vector(schema, 1).map((field) => this.#field(field, 0)),
      this.#metadata(schema, 2),
    ]);
    const value = this.#cleaned === undefined
      ? this.#source
      : btoa(Array.from(this.#cleaned, (b) => String.fromCharCode(b)).join(""));
    return { text, value };
  }

  #field(field: Table, depth: number): unknown[] {
    if (depth > deepest) throw new RangeError("the fields nest too deeply");
    const kind = this.#scalar(field, 2, "u8");
    const scalars = typeFields[kind];
    if (scalars === undefined) throw new RangeError(`there is no type ${kind}`);
    const type = this.#child(field, 3);
    const dictionary = this.#child(field, 4);
    return [
      this.#string(field, 0),
      this.#scalar(field, 1, "bool"),
      kind,
      type && scalars.map((scalar, slot) => this.#value(type, slot, scalar)),
      dictionary && this.#dictionary(dictionary),
      this.#vector(field, 5).map((child) => this.#field(child, depth + 1)),
      this.#metadata(field, 6),
    ];
  }

  #dictionary(table: Table): unknown[] {
    const index = this.#child(table, 1);
    return [
      // ids number the dictionaries of a stream
      index && [this.#scalar(index, 0, "i32"), this.#scalar(index, 1, "bool")],
      this.#scalar(table, 2, "bool"),
    ];
  }

  #metadata(table: Table, slot: number): unknown[] {
    return this.#vector(table, slot).map((pair) => {
      const key = this.#string(pair, 0), value = this.#string(pair, 1);
      if (key !== "pandas" || value === undefined) return [key, value];
      const clean = withoutRange(value) ?? value;
      if (clean !== value) this.#replace(pair, value, clean);
      return [key, clean];
    });
  }

  /** Puts a shorter text in the place of one, filled with blanks: JSON may end with them, and no offset changes. */
  #replace(pair: Table, from: string, to: string): void {
    const encoder = new TextEncoder();
    const at = this.#offset(pair, 1)! + 4;
    const length = encoder.encode(from).length;
    const bytes = encoder.encode(to);
    if (bytes.length > length) throw new RangeError("the text has grown");
    this.#cleaned ??= this.#bytes.slice();
    this.#cleaned.fill(32, at, at + length);
    this.#cleaned.set(bytes, at);
  }

  #table(at: number): Table {
    if (++this.#tables > mostTables) throw new RangeError("the message refers to too much");
    const vtable = at - this.#view.getInt32(at, true);
    const size = this.#view.getUint16(vtable, true);
    const slots: number[] = [];
    for (let i = 4; i + 1 < size; i += 2) slots.push(this.#view.getUint16(vtable + i, true));
    return { at, slots };
  }

  /** Where a field's value stands; undefined where it has its default. */
  #place({ at, slots }: Table, slot: number): number | undefined {
    const offset = slots[slot] ?? 0;
    return offset === 0 ? undefined : at + offset;
  }

  /** Where a table, string or vector stands that a field refers to. */
  #offset(table: Table, slot: number): number | undefined {
    const place = this.#place(table, slot);
    return place === undefined ? undefined : place + this.#view.getUint32(place, true);
  }

  #child(table: Table, slot: number): Table | undefined {
    const at = this.#offset(table, slot);
    return at === undefined ? undefined : this.#table(at);
  }

  #vector(table: Table, slot: number): Table[] {
    const at = this.#offset(table, slot);
    if (at === undefined) return [];
    const count = this.#view.getUint32(at, true);
    if (4 * count > this.#bytes.length) throw new RangeError("a vector runs past the message");
    return Array.from({ length: count }, (_, i) => {
      const place = at + 4 + 4 * i;
      return this.#table(place + this.#view.getUint32(place, true));
    });
  }

  #string(table: Table, slot: number): string | undefined {
    const at = this.#offset(table, slot);
    if (at === undefined) return undefined;
    const length = this.#view.getUint32(at, true);
    if (at + 4 + length > this.#bytes.length) throw new RangeError("a text runs past the message");
    return decoder.decode(this.#bytes.subarray(at + 4, at + 4 + length));
  }

  #scalar(table: Table, slot: number, kind: "u8" | "i16" | "i32" | "bool"): number {
    const at = this.#place(table, slot);
    if (at === undefined) return 0;
    if (kind === "i16") return this.#view.getInt16(at, true);
    return kind === "i32" ? this.#view.getInt32(at, true) : this.#view.getUint8(at);
  }

  #value(table: Table, slot: number, kind: "i32" | "i16" | "bool" | "string" | "i32s"): unknown {
    if (kind === "string") return this.#string(table, slot);
    if (kind !== "i32s") {
      // absent is not always 0: a decimal's width is 128, a time's unit milliseconds
      return this.#place(table, slot) === undefined ? null : this.#scalar(table, slot, kind);
    }
    const at = this.#offset(table, slot);
    if (at === undefined) return null;
    const count = this.#view.getUint32(at, true);
    if (4 * count > this.#bytes.length) throw new RangeError("a vector runs past the message");
    return Array.from({ length: count }, (_, i) => this.#view.getInt32(at + 4 + 4 * i, true));
  }
}
