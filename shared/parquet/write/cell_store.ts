/** Bytes of a cell, and of a segment of cells. */
const cellBytes = 4096, segmentBytes = 1024 * 1024;
const cellsEach = segmentBytes / cellBytes;

/** Bytes that a {@link CellStore} keeps. */
export interface Kept {
  length: number;
  /** Numbers of its cells, in order. */
  cells: Uint32Array;
}

/**
 * Keeps byte strings in cells of one size, which are used again for others of any length: what is allocated by itself and
 * freed leaves holes that nothing larger fits in.
 */
export class CellStore {
  readonly #segments: Uint8Array[] = [];
  readonly #free: number[] = [];
  /** Where {@link take} puts bytes together. */
  #room = new Uint8Array(0);

  /** Keeps a copy. */
  keep(bytes: Uint8Array): Kept {
    const cells = new Uint32Array(Math.ceil(bytes.length / cellBytes));
    for (let i = 0; i < cells.length; i++) {
      if (this.#free.length === 0) this.#grow();
      const cell = this.#free.pop()!;
      cells[i] = cell;
      this.#bytesOf(cell).set(bytes.subarray(i * cellBytes, (i + 1) * cellBytes));
    }
    return { length: bytes.length, cells };
  }

  /** Copies what is kept to the beginning of `target`. */
  read({ length, cells }: Kept, target: Uint8Array): void {
    for (let i = 0; i < cells.length; i++) {
      const at = i * cellBytes;
      target.set(this.#bytesOf(cells[i], Math.min(cellBytes, length - at)), at);
    }
  }

  /** Gives what is kept, valid until the next call, and its cells back. */
  take(kept: Kept): Uint8Array {
    if (this.#room.length < kept.length) this.#room = new Uint8Array(kept.length);
    this.read(kept, this.#room);
    this.release(kept);
    return this.#room.subarray(0, kept.length);
  }

  /** Gives the cells back. */
  release({ cells }: Kept): void {
    for (const cell of cells) this.#free.push(cell);
  }

  #bytesOf(cell: number, length = cellBytes): Uint8Array {
    const at = cell % cellsEach * cellBytes;
    return this.#segments[Math.floor(cell / cellsEach)].subarray(at, at + length);
  }

  #grow(): void {
    const first = this.#segments.length * cellsEach;
    this.#segments.push(new Uint8Array(segmentBytes));
    // the lowest is taken first
    for (let cell = first + cellsEach - 1; cell >= first; cell--) this.#free.push(cell);
  }
}
