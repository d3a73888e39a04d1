import { chunkExtent } from "./check_chunks.ts";
import { footerBytes } from "./footer.ts";
import { type FileStatistics, fileStatistics } from "./file_statistics.ts";
import type { LoadedGroup } from "./decode/joined_file.ts";
import type { Sink } from "./merge_plan.ts";
import {
  type ColumnChunk,
  type FileMetaData,
  type KeyValue,
  type RowGroup,
  type SchemaElement,
  typeOrder,
} from "./metadata.ts";
import type { SchemaNode, SchemaTree } from "./schema.ts";

/** Who wrote the file, in the form that readers parse: `<name> version <semver> (build <hash>)`. */
const createdBy = "sediment version 0.1.0 (build 0)";

/** A Parquet file that is written row group by row group, each from finished chunks. */
export class OutputFile {
  readonly #sink: Sink;
  readonly #tree: SchemaTree;
  readonly #groups: RowGroup[] = [];
  #position = 0;
  #rows = 0;
  #uncompressed = 0;

  /** @param tree the schema that is written */
  constructor(sink: Sink, tree: SchemaTree) {
    this.#sink = sink;
    this.#tree = tree;
  }

  get rowCount(): number {
    return this.#rows;
  }

  get rowGroupCount(): number {
    return this.#groups.length;
  }

  /** Bytes written so far. */
  get byteLength(): number {
    return this.#position;
  }

  get uncompressedBytes(): number {
    return this.#uncompressed;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    await this.#sink.write(bytes);
    this.#position += bytes.length;
  }

  /** Appends a row group. */
  async append(group: LoadedGroup): Promise<void> {
    if (this.#position === 0) await this.#write(new Uint8Array([0x50, 0x41, 0x52, 0x31]));
    const start = this.#position;
    const columns: ColumnChunk[] = [];
    let uncompressed = 0;
    for (const { meta, bytes } of group.chunks) {
      const shift = this.#position - chunkExtent(meta).start;
      await this.#write(bytes);
      uncompressed += meta.totalUncompressedSize;
      columns.push({
        filePath: undefined,
        // spec: where ColumnMetaData stands, 0 when not written beside the chunk
        fileOffset: 0,
        metaData: {
          ...meta,
          dataPageOffset: shift + meta.dataPageOffset,
          dictionaryPageOffset: meta.dictionaryPageOffset === undefined
            ? undefined
            : shift + meta.dictionaryPageOffset,
          bloomFilterOffset: undefined,
          bloomFilterLength: undefined,
        },
        offsetIndexOffset: undefined,
        offsetIndexLength: undefined,
        columnIndexOffset: undefined,
        columnIndexLength: undefined,
        encrypted: false,
      });
    }
    this.#rows += group.numRows;
    this.#uncompressed += uncompressed;
    this.#groups.push({
      columns,
      totalByteSize: uncompressed,
      numRows: group.numRows,
      sortingColumns: undefined,
      fileOffset: start,
      totalCompressedSize: this.#position - start,
      ordinal: this.#groups.length <= 32_767 ? this.#groups.length : undefined,
    });
  }

  /** Writes the footer and gives the statistics of the whole. */
  async finish(keyValues: KeyValue[] | undefined): Promise<FileStatistics> {
    const schema: SchemaElement[] = [];
    const collect = (node: SchemaNode) => {
      schema.push(
        node.parent === undefined ? { ...node.element, repetition: undefined } : node.element,
      );
      node.children.forEach(collect);
    };
    collect(this.#tree.root);
    const metadata: FileMetaData = {
      version: 2,
      schema,
      numRows: this.#rows,
      rowGroups: this.#groups,
      keyValues,
      createdBy,
      columnOrders: this.#tree.leaves.map(() => typeOrder),
      encrypted: false,
    };
    if (this.#position === 0) await this.#write(new Uint8Array([0x50, 0x41, 0x52, 0x31]));
    await this.#write(footerBytes(metadata));
    return fileStatistics(metadata, this.#tree);
  }
}
