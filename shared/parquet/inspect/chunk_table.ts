/** What of a file's column chunks its checks go by once the footer is read, in 32 bytes each: a footer's objects take 800. */
import type { ColumnMetaData } from "../format/metadata.ts";

/** A column chunk's bytes: dictionary page and data pages, from the file's start. */
export interface ChunkExtent {
  start: number;
  length: number;
}

const fieldsOf = 4;

/** Chunks in the order of the footer, row group by row group. */
export class ChunkTable {
  /** Of each chunk: where it starts, how long it is, its values, its codec. */
  #fields = new Float64Array(4 * fieldsOf);
  /** Rows of each row group. */
  #rows = new Float64Array(4);
  #chunks = 0;
  #groups = 0;

  get groups(): number {
    return this.#groups;
  }

  get chunks(): number {
    return this.#chunks;
  }

  addChunk(
    { start, length }: { start: number; length: number },
    { numValues, codec }: ColumnMetaData,
  ): void {
    const at = this.#chunks++ * fieldsOf;
    if (at === this.#fields.length) this.#fields = doubled(this.#fields);
    this.#fields[at] = start;
    this.#fields[at + 1] = length;
    this.#fields[at + 2] = numValues;
    this.#fields[at + 3] = codec;
  }

  /** After its chunks. */
  endGroup(rows: number): void {
    if (this.#groups === this.#rows.length) this.#rows = doubled(this.#rows);
    this.#rows[this.#groups++] = rows;
  }

  rows(group: number): number {
    return this.#rows[group];
  }

  start(chunk: number): number {
    return this.#fields[chunk * fieldsOf];
  }

  length(chunk: number): number {
    return this.#fields[chunk * fieldsOf + 1];
  }

  values(chunk: number): number {
    return this.#fields[chunk * fieldsOf + 2];
  }

  codec(chunk: number): number {
    return this.#fields[chunk * fieldsOf + 3];
  }
}

function doubled(array: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(2 * array.length);
  larger.set(array);
  return larger;
}
