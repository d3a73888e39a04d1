import { chunkExtent } from "../../inspect/check_chunks.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import type { ColumnChunk } from "../../format/metadata.ts";
import { parquetError } from "../../format/parquet_error.ts";
import type { RangeReader } from "../../format/range_reader.ts";

/**
 * Reads one column chunk page by page, as far as is wanted at a time, while others are read beside it. Free it after
 * use.
 */
export class ChunkCursor {
  readonly #kernels: Kernels;
  readonly #reader: RangeReader;
  readonly #windowBytes: number;
  readonly #signal: AbortSignal | undefined;
  /** The kernels' chunk. */
  readonly #chunk: number;
  readonly #end: number;
  #at: number;
  /** Bytes that were read and hold no whole page yet, or pages that are not wanted yet. */
  #left = new Uint8Array(0);
  /** Whether all of the chunk was appended. */
  ended = false;

  constructor(
    kernels: Kernels,
    reader: RangeReader,
    chunk: ColumnChunk,
    windowBytes: number,
    signal?: AbortSignal,
  ) {
    this.#kernels = kernels;
    this.#reader = reader;
    this.#windowBytes = windowBytes;
    this.#signal = signal;
    const { start, length } = chunkExtent(chunk.metaData!);
    this.#at = start;
    this.#end = start + length;
    this.#chunk = kernels.wasm.newChunk();
    if (this.#chunk === 0) throw kernels.error({});
  }

  /** Makes the chunk the open one of the kernels. */
  use(): void {
    this.#kernels.wasm.useChunk(this.#chunk);
  }

  /**
   * Appends pages to the column at `address` until `enough` says so or the chunk has ended. False when a page is
   * broken.
   * @param onPage called after each page
   */
  async feed(address: number, enough: () => boolean, onPage: () => void): Promise<boolean> {
    const { wasm } = this.#kernels;
    while (!this.ended && !enough()) {
      this.use();
      const last = this.#at === this.#end;
      const { length } = this.#left;
      const at = this.#kernels.input(this.#left);
      let done = 0;
      while (done < length && !enough()) {
        const taken = wasm.appendPages(address, at + done, length - done, last ? 1 : 0, 1);
        if (taken < 0) return false;
        if (taken === 0) break;
        done += taken;
        onPage();
      }
      this.#left = this.#left.subarray(done);
      if (enough()) break;
      if (last) {
        this.ended = true;
        return wasm.closeChunk() !== 0;
      }
      await this.#read();
    }
    return true;
  }

  /** Says that the column's dictionary was begun anew. */
  forget(): void {
    this.use();
    this.#kernels.wasm.forgetMapping();
  }

  /** Gives the kernels' memory back. */
  free(): void {
    this.#kernels.wasm.freeChunk(this.#chunk);
  }

  async #read(): Promise<void> {
    const length = Math.min(this.#windowBytes, this.#end - this.#at);
    const bytes = await this.#reader.read(this.#at, length, this.#signal);
    if (bytes.length !== length) {
      throw parquetError("invalid_parquet", `a read of ${length} bytes gave ${bytes.length}`);
    }
    const joined = new Uint8Array(this.#left.length + length);
    joined.set(this.#left);
    joined.set(bytes, this.#left.length);
    this.#reader.release?.(bytes);
    this.#left = joined;
    this.#at += length;
  }
}
