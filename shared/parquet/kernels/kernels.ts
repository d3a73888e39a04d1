import type { SedimentError } from "../../errors.ts";
import type { ParquetPlace } from "../format/parquet_error.ts";
import { kernelError } from "./kernel_error.ts";

/** The wasm exports; addresses and sizes are bytes. See the sources in assembly/. */
export interface KernelExports {
  memory: WebAssembly.Memory;
  alloc(size: number): number;
  free(address: number): void;
  memoryTaken(): number;
  setMemoryLimit(bytes: number): void;
  getErrorCode(): number;
  getErrorA(): number;
  getErrorB(): number;
  seedHash(a: number, b: number, c: number, d: number): void;
  setPageLimits(bytes: number, values: number): void;
  snappyBound(size: number): number;
  snappyDecode(source: number, size: number, target: number, targetSize: number): number;
  zstdDecode(source: number, size: number, target: number, targetSize: number): number;
  snappyEncode(source: number, size: number, target: number): number;
  newColumn(type: number, width: number, maxDef: number, maxRep: number, order: number): number;
  requireText(column: number, on: number): void;
  watchBounds(column: number, type: number, width: number, order: number): void;
  freeColumn(column: number): void;
  releasePending(column: number): void;
  packRows(column: number): number;
  reserveRows(column: number, levels: number, present: number, bytes: number): number;
  unpackRows(
    column: number,
    mode: number,
    rows: number,
    levels: number,
    present: number,
    address: number,
    length: number,
    unpacked: number,
  ): number;
  dropEntries(column: number): void;
  dropTable(column: number): void;
  startGroup(column: number, plain: number): void;
  checkpoint(column: number): void;
  rollback(column: number): void;
  restartGroup(column: number, plain: number): number;
  newChunk(): number;
  useChunk(chunk: number): void;
  freeChunk(chunk: number): void;
  forgetMapping(): void;
  passPacked(on: number): void;
  openChunk(
    type: number,
    width: number,
    maxDef: number,
    maxRep: number,
    codec: number,
    values: number,
    rows: number,
    levelMap: number,
    conversion: number,
    parameter: number,
    check: number,
    levels: number,
  ): void;
  levelsAgree(levels: number, leaves: number): number;
  watchFilter(address: number, blocks: number): void;
  filterHolds(): number;
  xxHash64(address: number, length: number): bigint;
  appendPages(
    column: number,
    address: number,
    length: number,
    last: number,
    onePage: number,
  ): number;
  closeChunk(): number;
  countPage(address: number, length: number): number;
  chunkIsRead(): number;
  moveIndexes(
    offsets: number,
    offsetsLength: number,
    columns: number,
    columnsLength: number,
    start: number,
    end: number,
    rows: number,
    moved: number,
    to: number,
  ): number;
  startsWithCrc(address: number, length: number): number;
  pageStartsRow(column: number): number;
  getPageType(): number;
  getPageEncoding(): number;
  getPageGrowth(): number;
  getPageSize(): number;
  getPageCrc(): number;
  getPagesRead(): number;
  appendNulls(column: number, rows: number, level: number): number;
  appendFromSibling(
    column: number,
    sibling: number,
    from: number,
    maxRep: number,
    maxDef: number,
  ): number;
  levelsBeforeRows(column: number, rows: number): number;
  appendGroup(
    columns: number,
    sources: number,
    count: number,
    group: number,
    file: number,
    levels: number,
    leaves: number,
  ): number;
  getFailedColumn(): number;
  commitColumns(
    columns: number,
    count: number,
    pageRows: number,
    pageBytes: number,
    early: number,
    enough: number,
    dictionaryBytes: number,
  ): number;
  pendingBytes(): number;
  reserveTable(bytes: number): number;
  scanFooter(
    file: number,
    size: number,
    schema: number,
    schemaBytes: number,
    keyValues: number,
    keyValuesBytes: number,
    leafPaths: number,
    leaves: number,
  ): number;
  scanGroups(): number;
  scanRows(): number;
  scanUncompressed(): number;
  scanValues(): number;
  scanLargestGroup(): number;
  scanTable(): number;
  scanSchemaAt(): number;
  scanSchemaLength(): number;
  scanKeyValuesAt(): number;
  scanKeyValuesLength(): number;
  addKey(column: number, descending: number): number;
  clearKeys(): void;
  sortRows(sorting: number): number;
  permutationLength(): number;
  permutationPtr(): number;
  setPermutationLength(rows: number): void;
  keepRows(rows: number): number;
  keyChange(at: number, most: number): number;
  lendEntries(target: number, column: number): void;
  lendUsedEntries(target: number, column: number, from: number, rows: number): number;
  startGather(column: number): number;
  gatherRows(target: number, column: number, from: number, rows: number): number;
  endGather(target: number): void;
  columnMode(column: number): number;
  columnRows(column: number): number;
  columnCount(column: number): number;
  columnPresent(column: number): number;
  columnValueBytes(column: number): number;
  columnEntryCount(column: number): number;
  columnEntryBytes(column: number): number;
  plainBytesOf(column: number): number;
  chooseDictionary(column: number): void;
  choosePlain(column: number): number;
  rowsWithin(column: number, bytes: number): number;
  makePage(column: number, rows: number): number;
  makeDictionaryPage(column: number): void;
  packSnappy(bits: number): number;
  dropPage(column: number): void;
  getRawPtr(): number;
  getRawLength(): number;
  getPackedPtr(): number;
  getPageRows(): number;
  getPageLevels(): number;
  getPagePresent(): number;
  statsPtr(): number;
}

/** How a column's values wait; assembly/column.ts. */
export const columnModes = { open: 0, dictionary: 1, plain: 2 } as const;

/**
 * Bits of the number of slots by which snappy looks for matches: of pages, whose output is close to 1.02 of DuckDB's size
 * with fewer, and of rows that wait to be sorted, which are compressed a fifth faster so.
 */
export const snappySlots = { pages: 13, waiting: 12 } as const;

/** What the kernels ask of their host; assembly/host.ts. */
export interface KernelHost {
  crc32(bytes: Uint8Array): number;
  /** Decompresses into exactly `target`'s length; one of `inflated` of codecs.ts. */
  inflate(codec: number, source: Uint8Array, target: Uint8Array): number;
}

/** What an instance may take. */
export interface KernelLimits {
  /** Bytes of its memory, at most what its module was built for (build.ts). */
  memoryBytes: number;
  /** Largest page, compressed or not. */
  pageBytes: number;
  /** Most values of a page. */
  pageValues: number;
}

/**
 * One instance of the kernels with a memory of its own. Wasm memory never shrinks: an instance lives for one
 * merge, or one scan, and is dropped. It asks nothing of a runtime: what differs between them is the host's.
 */
export class Kernels {
  readonly wasm: KernelExports;
  #view: Uint8Array;
  #input = { at: 0, size: 0 };

  constructor(module: WebAssembly.Module, limits: KernelLimits, host: KernelHost) {
    const instance = new WebAssembly.Instance(module, {
      host: {
        crc32: (address: number, length: number) => host.crc32(this.bytes(address, length)) | 0,
        inflate: (which: number, at: number, size: number, to: number, length: number) =>
          host.inflate(which, this.bytes(at, size), this.bytes(to, length)),
      },
    });
    this.wasm = instance.exports as unknown as KernelExports;
    this.#view = new Uint8Array(this.wasm.memory.buffer);
    this.wasm.setMemoryLimit(limits.memoryBytes);
    this.wasm.setPageLimits(limits.pageBytes, limits.pageValues);
    const [a, b, c, d] = crypto.getRandomValues(new Uint32Array(4));
    this.wasm.seedHash(a, b, c, d);
  }

  /** All of the memory; anew after it has grown. */
  get view(): Uint8Array {
    if (this.#view.length === 0) this.#view = new Uint8Array(this.wasm.memory.buffer);
    return this.#view;
  }

  /** A view of the memory, valid until it grows. */
  bytes(address: number, length: number): Uint8Array {
    return this.view.subarray(address, address + length);
  }

  /** Copies bytes in; the address is valid until the next call. Throws `page_too_large` without memory. */
  input(bytes: Uint8Array): number {
    return this.inputBehind(0, 0, bytes);
  }

  /** Room for bytes, valid until the next call; {@link input} takes the same. */
  inputRoom(size: number): number {
    if (this.#input.size < size) {
      const room = Math.ceil(size * 1.25) + 4096;
      const at = this.wasm.alloc(room);
      if (at === 0) throw this.error({});
      this.wasm.free(this.#input.at);
      this.#input = { at, size: room };
    }
    return this.#input.at;
  }

  /**
   * Copies bytes in behind the last `kept` bytes of what the last call brought in, which end at `end`; both
   * stand together at the address.
   */
  inputBehind(end: number, kept: number, bytes: Uint8Array): number {
    const size = kept + bytes.length;
    if (this.#input.size < size) {
      const room = Math.ceil(size * 1.25) + 4096;
      const at = this.wasm.alloc(room);
      if (at === 0) throw this.error({});
      if (kept > 0) this.view.copyWithin(at, end - kept, end);
      this.wasm.free(this.#input.at);
      this.#input = { at, size: room };
    } else if (kept > 0) {
      this.view.copyWithin(this.#input.at, end - kept, end);
    }
    this.view.set(bytes, this.#input.at + kept);
    return this.#input.at;
  }

  /** A block of memory that stays; throws `page_too_large` without memory. */
  alloc(size: number): number {
    const address = this.wasm.alloc(size);
    if (address === 0) throw this.error({});
    return address;
  }

  /** u32 numbers in memory that stays. */
  keepWords(words: readonly number[]): number {
    const address = this.alloc(Math.max(4, words.length * 4));
    this.setWords(address, words);
    return address;
  }

  /** Writes u32 numbers. */
  setWords(address: number, words: readonly number[]): void {
    const view = new DataView(this.wasm.memory.buffer, address, words.length * 4);
    words.forEach((word, i) => view.setUint32(i * 4, word, true));
  }

  /** The error of the call that failed last. */
  error(place: ParquetPlace): SedimentError {
    const { wasm } = this;
    return kernelError(wasm.getErrorCode(), wasm.getErrorA(), wasm.getErrorB(), place);
  }

  /** Bytes of wasm memory. */
  get memoryBytes(): number {
    return this.wasm.memory.buffer.byteLength;
  }
}
