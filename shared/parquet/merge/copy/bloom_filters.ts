import { SedimentError } from "../../../errors.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import { type ColumnMetaData, physicalType, type RowGroup } from "../../format/metadata.ts";
import { isInside, type RangeReader } from "../../format/range_reader.ts";
import { ThriftReader } from "../../format/thrift/thrift_reader.ts";
import { type FetchedBytes, readRanges } from "./read_ranges.ts";

/** All filters of a row group that are looked at; those of larger ones are left out. */
const mostBytes = 2 * 1024 * 1024;

/** Bytes between two filters that are read to save a request. */
const largestGap = 4096;

/** Bytes of a filter's block (BloomFilter.md). */
const blockBytes = 32;

/**
 * The Bloom filters of a row group that is copied out of an upload. They go along where they know every value of their
 * chunk: readers pass over rows by a filter that doesn't.
 */
export class BloomFilters {
  readonly #kernels: Kernels;
  readonly #columns: RowGroup["columns"];
  readonly #fileSize: number;
  readonly #bytesAt: FetchedBytes | undefined;
  /** The filter that is looked at, with its header, and the address of its bits. */
  #watched: Uint8Array | undefined;
  #address = 0;

  private constructor(
    kernels: Kernels,
    columns: RowGroup["columns"],
    fileSize: number,
    bytesAt: FetchedBytes | undefined,
  ) {
    this.#kernels = kernels;
    this.#columns = columns;
    this.#fileSize = fileSize;
    this.#bytesAt = bytesAt;
  }

  /** Fetches the filters of a row group; such as are said to lie outside of the file are none. */
  static async read(
    kernels: Kernels,
    reader: RangeReader,
    { columns }: RowGroup,
    signal?: AbortSignal,
  ): Promise<BloomFilters> {
    const ranges = columns.flatMap(({ metaData }) => rangeOf(metaData!, reader.size) ?? []);
    const bytes = ranges.reduce((sum, { length }) => sum + length, 0);
    const bytesAt = bytes === 0 || bytes > mostBytes
      ? undefined
      : await readRanges(reader, ranges, largestGap, signal);
    return new BloomFilters(kernels, columns, reader.size, bytesAt);
  }

  /** Has the kernels look up the values of a column's chunk as it is decoded. */
  watch(column: number): void {
    this.free();
    const bytes = this.#bytesOf(column);
    const bits = bytes && bitset(bytes);
    if (bits === undefined) return;
    const address = this.#kernels.wasm.alloc(bits.length);
    if (address === 0) return; // it is left out
    this.#kernels.bytes(address, bits.length).set(bits);
    this.#address = address;
    this.#watched = bytes;
    this.#kernels.wasm.watchFilter(address, bits.length / blockBytes);
  }

  /** The filter of the chunk that was decoded last, when it knows all of its values. */
  take(): Uint8Array | undefined {
    const filter = this.#kernels.wasm.filterHolds() === 0 ? undefined : this.#watched;
    this.free();
    return filter;
  }

  /** Gives the kernels' memory back. */
  free(): void {
    this.#kernels.wasm.watchFilter(0, 0);
    this.#kernels.wasm.free(this.#address);
    this.#address = 0;
    this.#watched = undefined;
  }

  #bytesOf(column: number): Uint8Array | undefined {
    const meta = this.#columns[column].metaData!;
    const range = rangeOf(meta, this.#fileSize);
    if (range === undefined || this.#bytesAt === undefined) return undefined;
    if (meta.type === physicalType.BOOLEAN) return undefined; // BloomFilter.md has none of them
    return this.#bytesAt(range.start, range.length);
  }
}

/** Where a chunk's filter lies; undefined where there is none, it has no length, or isn't in the file. */
function rangeOf(
  { bloomFilterOffset: start, bloomFilterLength: length }: ColumnMetaData,
  fileSize: number,
): { start: number; length: number } | undefined {
  if (start === undefined || !length || !isInside(start, length, fileSize)) return undefined;
  return { start, length };
}

/** A filter's bits behind its header (parquet.thrift BloomFilterHeader); undefined where it isn't one that is known. */
function bitset(bytes: Uint8Array): Uint8Array | undefined {
  const reader = new ThriftReader(bytes);
  let length = -1, known = 0;
  try {
    const outer = reader.enterStruct();
    for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
      const id = reader.fieldId;
      if (id === 1) length = reader.int32(type);
      else if (id <= 4) known += Number(isFirst(reader));
      else reader.skip(type);
    }
    reader.leaveStruct(outer);
  } catch (error) {
    if (error instanceof SedimentError) return undefined;
    throw error;
  }
  const blocks = bytes.subarray(reader.position);
  const whole = length === blocks.length && length > 0 && length % blockBytes === 0;
  return whole && known === 3 ? blocks : undefined;
}

/** Whether a union is its first member: split blocks, XXH64 and no compression, all that there are. */
function isFirst(reader: ThriftReader): boolean {
  const outer = reader.enterStruct();
  let first = true;
  for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
    first &&= reader.fieldId === 1;
    reader.skip(type);
  }
  reader.leaveStruct(outer);
  return first;
}
