import type { Kernels } from "../../kernels/kernels.ts";
import { columnModes, snappySlots } from "../../kernels/kernels.ts";
import type { CellStore, Kept } from "../../write/cell_store.ts";

/** Rows of a column, packed by the kernels (assembly/pack_rows.ts). */
interface Packed {
  bytes: Kept;
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
  readonly #store: CellStore;
  #blocks: Packed[] = [];
  #kept = 0;
  #compresses = true;
  /** Bytes of what is parked. */
  bytes = 0;
  /** Bytes that it takes in the kernels' memory, with where rows and byte arrays begin. */
  unpackedBytes = 0;

  /**
   * @param address the kernels' column
   * @param store keeps what is packed
   */
  constructor(kernels: Kernels, address: number, store: CellStore) {
    this.#kernels = kernels;
    this.#store = store;
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
    const bytes = this.#store.keep(this.#packed(length));
    const mode = wasm.columnMode(this.#address);
    const levels = wasm.getPageLevels(), present = wasm.getPagePresent();
    this.#blocks.push({ bytes, mode, rows, levels, present, length });
    this.bytes += bytes.length;
    this.unpackedBytes += unpackedBytesOf(this.#blocks.at(-1)!);
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
      const at = this.#kernels.inputRoom(bytes.length);
      this.#store.read(bytes, this.#kernels.bytes(at, bytes.length));
      this.#require(
        wasm.unpackRows(this.#address, mode, rows, levels, present, at, bytes.length, length),
      );
      this.#store.release(bytes);
    }
    this.#blocks = [];
    this.#kept = 0;
    this.bytes = 0;
    this.unpackedBytes = 0;
    wasm.dropEntries(this.#address);
  }

  /** Marks what a {@link rollback} goes back to. */
  commit(): void {
    this.#kept = this.#blocks.length;
  }

  /** Forgets what was parked since the last commit. */
  rollback(): void {
    for (const block of this.#blocks.splice(this.#kept)) {
      this.bytes -= block.bytes.length;
      this.unpackedBytes -= unpackedBytesOf(block);
      this.#store.release(block.bytes);
    }
  }

  /** Forgets all. */
  clear(): void {
    this.#kept = 0;
    this.rollback();
  }

  /** The page's body that was made last, by snappy where that pays, until the next one; equal lengths mean as it was. */
  #packed(length: number): Uint8Array {
    const { wasm } = this.#kernels;
    if (this.#compresses && length > 4096) {
      const packed = wasm.packSnappy(snappySlots.waiting);
      this.#require(packed);
      this.#compresses = packed < length * worthCompressing;
      if (this.#compresses) return this.#kernels.bytes(wasm.getPackedPtr(), packed);
    }
    return this.#kernels.bytes(wasm.getRawPtr(), length);
  }

  #require(done: number): void {
    if (done === 0) throw this.#kernels.error({});
  }
}

/** Levels take a byte each of two kinds, indices 4, and the beginnings of rows and byte arrays as much. */
function unpackedBytesOf({ mode, rows, levels, present, length }: Packed): number {
  const values = mode === columnModes.plain ? length : 4 * present;
  return 2 * levels + values + 4 * rows + 4 * present;
}
