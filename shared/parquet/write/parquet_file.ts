import { footerBytes } from "../format/footer.ts";
import {
  type FileMetaData,
  type KeyValue,
  type SchemaElement,
  typeOrder,
} from "../format/metadata.ts";
import { type ByteSink, FileWriter } from "./file_writer.ts";
import type { WrittenGroup } from "./row_group_writer.ts";

/** In the form that parquet-mr's version parser reads. */
export const createdBy = "sediment version 0.1.0 (build page-merge)";

const magic = new TextEncoder().encode("PAR1");

/** A Parquet file being written: magic, row groups, page indexes, footer. */
export class ParquetFile {
  readonly writer: FileWriter;
  readonly #groups: WrittenGroup[] = [];
  #begun = false;

  constructor(sink: ByteSink) {
    this.writer = new FileWriter(sink);
  }

  /** Row groups so far. */
  get groupCount(): number {
    return this.#groups.length;
  }

  /** Rows so far. */
  get rowCount(): number {
    return this.#groups.reduce((sum, { group }) => sum + group.numRows, 0);
  }

  /** Writes the leading magic before the first bytes. */
  async begin(): Promise<void> {
    if (this.#begun) return;
    this.#begun = true;
    await this.writer.write(magic.slice());
  }

  /** Takes a row group whose bytes were written. */
  add(written: WrittenGroup): void {
    written.indexes.close();
    this.#groups.push(written);
  }

  /** Forgets the row groups from the `count`-th on; their bytes stay in the file without being referred to. */
  dropGroups(count: number): void {
    this.#groups.length = count;
  }

  /** Writes page indexes (all column indexes, then all offset indexes) and the footer. */
  async finish(
    schema: readonly SchemaElement[],
    leafCount: number,
    keyValues: KeyValue[] | undefined,
  ): Promise<FileMetaData> {
    await this.begin();
    for (const { group, indexes } of this.#groups) {
      let offset = this.writer.offset;
      indexes.columnLengths.forEach((length, i) => {
        if (length === 0) return;
        group.columns[i].columnIndexOffset = offset;
        group.columns[i].columnIndexLength = length;
        offset += length;
      });
      await this.writer.write(indexes.columnIndexes);
    }
    for (const { group, indexes } of this.#groups) {
      let offset = this.writer.offset;
      indexes.offsetLengths.forEach((length, i) => {
        if (length === 0) return;
        group.columns[i].offsetIndexOffset = offset;
        group.columns[i].offsetIndexLength = length;
        offset += length;
      });
      await this.writer.write(indexes.offsetIndexes);
    }
    const metadata: FileMetaData = {
      version: 2,
      schema: [...schema],
      numRows: this.rowCount,
      rowGroups: this.#groups.map(({ group }) => group),
      keyValues,
      createdBy,
      columnOrders: new Array(leafCount).fill(typeOrder),
      encrypted: false,
    };
    await this.writer.write(footerBytes(metadata));
    await this.writer.flush();
    return metadata;
  }
}
