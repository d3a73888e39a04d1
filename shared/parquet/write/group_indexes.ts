import {
  type ColumnIndex,
  type OffsetIndex,
  writeColumnIndex,
  writeOffsetIndex,
} from "../format/page_index.ts";
import { ThriftWriter } from "../format/thrift/thrift_writer.ts";

/**
 * The page indexes of a row group as bytes, to be written behind the row groups: as objects those of a large
 * output took more memory than all else.
 */
export class GroupIndexes {
  columnIndexes: Uint8Array = new Uint8Array(0);
  offsetIndexes: Uint8Array = new Uint8Array(0);
  /** For each chunk the bytes of its index; 0 where it has none. */
  readonly columnLengths: number[] = [];
  readonly offsetLengths: number[] = [];

  #columns: ThriftWriter | undefined = new ThriftWriter(8 * 1024);
  #offsets: ThriftWriter | undefined = new ThriftWriter(8 * 1024);

  /** Takes the next chunk's indexes. */
  add(columnIndex: ColumnIndex | undefined, offsetIndex: OffsetIndex | undefined): void {
    const columns = this.#columns!, offsets = this.#offsets!;
    let before = columns.length;
    if (columnIndex !== undefined) writeColumnIndex(columns, columnIndex);
    this.columnLengths.push(columns.length - before);
    before = offsets.length;
    if (offsetIndex !== undefined) writeOffsetIndex(offsets, offsetIndex);
    this.offsetLengths.push(offsets.length - before);
  }

  /** Takes the next chunk's indexes as they are written; empty where it has none. */
  addBytes(columnIndex: Uint8Array, offsetIndex: Uint8Array): void {
    this.#columns!.raw(columnIndex);
    this.#offsets!.raw(offsetIndex);
    this.columnLengths.push(columnIndex.length);
    this.offsetLengths.push(offsetIndex.length);
  }

  /** Takes the indexes of further chunks, when both are closed. */
  append(more: GroupIndexes): void {
    this.columnIndexes = joined(this.columnIndexes, more.columnIndexes);
    this.offsetIndexes = joined(this.offsetIndexes, more.offsetIndexes);
    this.columnLengths.push(...more.columnLengths);
    this.offsetLengths.push(...more.offsetLengths);
  }

  /** Keeps the bytes, after the last chunk. */
  close(): void {
    this.columnIndexes = this.#columns!.view().slice();
    this.offsetIndexes = this.#offsets!.view().slice();
    this.#columns = undefined;
    this.#offsets = undefined;
  }
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(one.length + other.length);
  bytes.set(one);
  bytes.set(other, one.length);
  return bytes;
}
