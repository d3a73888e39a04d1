import type { Kernels } from "../../kernels/kernels.ts";
import { columnModes } from "../../kernels/kernels.ts";

/** Rows of a column, packed by the kernels (assembly/pack_rows.ts). */
interface Packed {
  bytes: Uint8Array;
  mode: number;
  rows: number;
  levels: number;
  present: number;
  /** Length before snappy. */
  length: number;
}

/** A column whose first block keeps more than this part of its size is not compressed any more. */
const worthCompressing = 0.8;

/**
 * Rows of one column that wait to be sorted, packed and out of the kernels' memory: that one never shrinks, and what
 * waits in it leaves holes.
 */
export class RowBuffer {
  readonly #kernels: Kernels;
  readonly #address: number;
  #blocks: Packed[] = [];
  #kept = 0;
  #compresses = true;
  /** Bytes of what is parked. */
  bytes = 0;

  /** @param address the kernels' column */
  constructor(kernels: Kernels, address: number) {
    this.#kernels = kernels;
    this.#address = address;
  }

  /** Packs the column's pending rows; its mode must be decided. */
  park(): void {
    const { wasm } = this.#kernels;
    // a row that began in what was parked may go on in levels without a row of their own
    if (wasm.columnCount(this.#address) === 0) return;
    const rows = wasm.columnRows(this.#address);
    this.#require(wasm.packRows(this.#address));
    const length = wasm.getRawLength();
    const bytes = this.#packed(length);
    const mode = wasm.columnMode(this.#address);
    const levels = wasm.getPageLevels(), present = wasm.getPagePresent();
    this.#blocks.push({ bytes, mode, rows, levels, present, length });
    this.bytes += bytes.length;
    wasm.dropPage(this.#address);
    if (this.#blocks.every((block) => block.mode === columnModes.plain)) {
      wasm.dropEntries(this.#address);
    }
  }

  /** Makes all that was parked pending again. */
  unpark(): void {
    if (this.#blocks.length === 0) return;
    const { wasm } = this.#kernels;
    this.park();
    const sum = (of: (block: Packed) => number) =>
      this.#blocks.reduce((total, block) => total + of(block), 0);
    this.#require(wasm.reserveRows(
      this.#address,
      sum(({ levels }) => levels),
      sum(({ present }) => present),
      sum(({ mode, length }) => mode === columnModes.plain ? length : 0),
    ));
    for (const { bytes, mode, rows, levels, present, length } of this.#blocks) {
      const at = this.#kernels.input(bytes);
      this.#require(
        wasm.unpackRows(this.#address, mode, rows, levels, present, at, bytes.length, length),
      );
      release(bytes);
    }
    this.#blocks = [];
    this.#kept = 0;
    this.bytes = 0;
    wasm.dropEntries(this.#address);
  }

  /** Marks what a {@link rollback} goes back to. */
  commit(): void {
    this.#kept = this.#blocks.length;
  }

  /** Forgets what was parked since the last commit. */
  rollback(): void {
    for (const { bytes } of this.#blocks.splice(this.#kept)) {
      this.bytes -= bytes.length;
      release(bytes);
    }
  }

  /** Forgets all. */
  clear(): void {
    this.#kept = 0;
    this.rollback();
  }

  /** A copy of the page's body that was made last, by snappy where that pays; equal lengths mean as it was. */
  #packed(length: number): Uint8Array {
    const { wasm } = this.#kernels;
    if (this.#compresses && length > 4096) {
      const packed = wasm.packSnappy();
      this.#require(packed);
      this.#compresses = packed < length * worthCompressing;
      if (this.#compresses) return this.#kernels.bytes(wasm.getPackedPtr(), packed).slice();
    }
    return this.#kernels.bytes(wasm.getRawPtr(), length).slice();
  }

  #require(done: number): void {
    if (done === 0) throw this.#kernels.error({});
  }
}

/** Frees the memory now; left to the collector megabytes of it would stay for long. */
function release(bytes: Uint8Array): void {
  (bytes.buffer as ArrayBuffer).transfer(0);
}
