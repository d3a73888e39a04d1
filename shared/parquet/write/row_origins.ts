/**
 * Where the rows of a file came from: for each stretch of consecutive rows the number of their origin. A merge writes it
 * into its output, between the page indexes and the footer, where no reader of Parquet looks: what tells rows apart can't
 * be lost apart from them, needs no object of its own, and costs the catalog two numbers a file.
 */
import { crc32 } from "../../compression/crc32.ts";
import { SedimentError } from "../../errors.ts";

/** The origin of rows of which it is not known. */
export const unknownOrigin = 0;

/** A file of more stretches keeps none: while it is merged they are in memory, 16 bytes each. */
export const mostRuns = 500_000;

const version = 1;

/** Run-length encoded origins, positive integers, in the order of the rows. */
export class RowOrigins {
  readonly #origins: number[] = [];
  readonly #rows: number[] = [];
  rowCount = 0;

  /** @param origin of all `rows` */
  static of(origin: number, rows: number): RowOrigins {
    const all = new RowOrigins();
    all.add(origin, rows);
    return all;
  }

  /** The stretches: [origin, rows]. */
  *runs(): Generator<[number, number]> {
    for (let i = 0; i < this.#origins.length; i++) yield [this.#origins[i], this.#rows[i]];
  }

  get runCount(): number {
    return this.#origins.length;
  }

  /** Whether every row's origin is known. */
  get isKnown(): boolean {
    return !this.#origins.includes(unknownOrigin);
  }

  /** Appends rows. */
  add(origin: number, rows: number): void {
    if (rows <= 0) return;
    this.rowCount += rows;
    const last = this.#origins.length - 1;
    if (last >= 0 && this.#origins[last] === origin) this.#rows[last] += rows;
    else {
      this.#origins.push(origin);
      this.#rows.push(rows);
    }
  }

  /** Appends the rows [from, from + count) of others. */
  addFrom(others: RowOrigins, from = 0, count = Infinity): void {
    let skip = from, left = count;
    for (const [origin, rows] of others.runs()) {
      if (left <= 0) return;
      const taken = Math.min(rows - Math.min(skip, rows), left);
      skip -= Math.min(skip, rows);
      left -= taken;
      this.add(origin, taken);
    }
  }

  /** Forgets the rows from the `rowCount`-th on. */
  truncate(rowCount: number): void {
    while (this.rowCount > rowCount) {
      const last = this.#rows.length - 1;
      const over = Math.min(this.#rows[last], this.rowCount - rowCount);
      this.rowCount -= over;
      if ((this.#rows[last] -= over) > 0) continue;
      this.#rows.pop();
      this.#origins.pop();
    }
  }

  /** The same without the rows of some origins. */
  without(origins: ReadonlySet<number>): RowOrigins {
    const left = new RowOrigins();
    for (const [origin, rows] of this.runs()) {
      if (!origins.has(origin)) left.add(origin, rows);
    }
    return left;
  }

  /** Whether some of the rows [from, from + count) are of these origins. */
  hasAny(origins: ReadonlySet<number>, from: number, count: number): boolean {
    let at = 0;
    for (const [origin, rows] of this.runs()) {
      if (at >= from + count) return false;
      at += rows;
      if (at > from && origins.has(origin)) return true;
    }
    return false;
  }

  /** Rows of each of some origins; those of which there are none too. */
  countOf(origins: Iterable<number>): Map<number, number> {
    const counts = new Map([...origins].map((origin) => [origin, 0]));
    for (const [origin, rows] of this.runs()) {
      const before = counts.get(origin);
      if (before !== undefined) counts.set(origin, before + rows);
    }
    return counts;
  }

  /** The first and the last origin; undefined without rows. */
  get extent(): { first: number; last: number } | undefined {
    if (this.#origins.length === 0) return undefined;
    let first = Infinity, last = -Infinity;
    for (const origin of this.#origins) {
      first = Math.min(first, origin);
      last = Math.max(last, origin);
    }
    return { first, last };
  }

  /**
   * The bytes: a version, the number of stretches, then of each one varint, the zigzag difference to the origin before,
   * doubled, odd where the stretch has more than one row, whose number follows; and the CRC-32 of all of it. Two bytes a
   * stretch mostly, so that a sorted file in which each row has another origin than the last takes two bytes a row.
   */
  encode(): Uint8Array<ArrayBuffer> {
    const bytes = new ByteList();
    bytes.push(version);
    bytes.varint(this.#origins.length);
    let before = 0;
    for (let i = 0; i < this.#origins.length; i++) {
      const difference = this.#origins[i] - before;
      before = this.#origins[i];
      const zigzag = difference < 0 ? -2 * difference - 1 : 2 * difference;
      const rows = this.#rows[i];
      bytes.varint(2 * zigzag + (rows > 1 ? 1 : 0));
      if (rows > 1) bytes.varint(rows);
    }
    const crc = crc32(bytes.taken());
    for (let shift = 0; shift < 32; shift += 8) bytes.push((crc >>> shift) & 255);
    return bytes.taken();
  }

  /** What {@link encode} gave. Throws `object_changed` for other bytes. */
  static decode(bytes: Uint8Array): RowOrigins {
    const end = bytes.length - 4;
    const crc = end < 2
      ? 0
      : new DataView(bytes.buffer, bytes.byteOffset + end, 4).getUint32(0, true);
    if (end < 2 || bytes[0] !== version || crc32(bytes.subarray(0, end)) !== crc) {
      throw new SedimentError(
        "object_changed",
        `${bytes.length} bytes that should say where rows came from are others than were written`,
      );
    }
    let at = 1;
    const varint = () => {
      let value = 0, scale = 1;
      while (at < end) {
        const byte = bytes[at++];
        value += (byte & 127) * scale;
        if (byte < 128) return value;
        scale *= 128;
      }
      throw new SedimentError("object_changed", "what says where rows came from ends early");
    };
    const origins = new RowOrigins();
    let origin = 0;
    for (let left = varint(); left > 0; left--) {
      const head = varint();
      const zigzag = Math.floor(head / 2);
      origin += zigzag % 2 === 1 ? -(zigzag + 1) / 2 : zigzag / 2;
      origins.add(origin, head % 2 === 1 ? varint() : 1);
    }
    return origins;
  }
}

/** Bytes that grow. */
class ByteList {
  #bytes = new Uint8Array(256);
  #length = 0;

  push(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const bigger = new Uint8Array(2 * this.#length);
      bigger.set(this.#bytes);
      this.#bytes = bigger;
    }
    this.#bytes[this.#length++] = byte;
  }

  /** LEB128, of up to 53 bits. */
  varint(value: number): void {
    while (value > 127) {
      this.push(128 + value % 128);
      value = Math.floor(value / 128);
    }
    this.push(value);
  }

  taken(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }
}
