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

  /** Keeps the bytes, after the last chunk. */
  close(): void {
    this.columnIndexes = this.#columns!.view().slice();
    this.offsetIndexes = this.#offsets!.view().slice();
    this.#columns = undefined;
    this.#offsets = undefined;
  }
}
