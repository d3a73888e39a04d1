import { HostKernels } from "../../parquet/kernels/host_kernels.ts";
import { codec, type SchemaElement } from "../../parquet/format/metadata.ts";
import { OutputColumn } from "../../parquet/merge/pages/output_column.ts";
import { valueWidth } from "../../parquet/format/value_order.ts";
import { schemaTree } from "../../parquet/format/schema.ts";
import { PageStore } from "../../parquet/write/page_store.ts";
import { ParquetFile } from "../../parquet/write/parquet_file.ts";
import { writeRowGroup } from "../../parquet/write/row_group_writer.ts";
import type { LeafColumn } from "../columns/leaf_columns.ts";
import { columnPages } from "./column_pages.ts";

const MiB = 1024 * 1024;

/** The wasm memory that the kernels may take, and what a page that we hand them may be. */
const kernelLimits = { memoryBytes: 96 * MiB, pageBytes: 64 * MiB, pageValues: 64 * MiB };

/**
 * A Parquet file in memory, written a row group at a time by the merge's kernels: they choose dictionary or
 * PLAIN a column, compress with snappy, and take statistics from the values. (apache-arrow with parquet-wasm
 * would bring 4.95 MB of wasm into the upload function, lose the UUID and INTERVAL annotations, and hold all
 * rows three times.)
 */
export class ParquetOutput {
  readonly #schema: SchemaElement[];
  readonly #kernels = new HostKernels(kernelLimits);
  readonly #pages = new PageStore();
  readonly #columns: OutputColumn[];
  readonly #file: ParquetFile;
  readonly #chunks: Uint8Array[] = [];

  constructor(schema: SchemaElement[]) {
    this.#schema = schema;
    const settings = { codec: codec.SNAPPY, zstd: undefined, pageRows: 20_000, pageBytes: MiB };
    this.#columns = schemaTree(schema).leaves.map((leaf) =>
      new OutputColumn(this.#kernels, leaf, settings, this.#pages)
    );
    this.#file = new ParquetFile({
      write: (chunk) => {
        this.#chunks.push(chunk.slice()); // the writer uses its buffers again
        return Promise.resolve();
      },
    });
  }

  /**
   * Writes a row group.
   *
   * @param columns in the order of the schema's leaves; used up one at a time
   */
  async writeRows(columns: Iterable<LeafColumn>, rows: number): Promise<void> {
    if (rows === 0) return;
    let index = 0;
    for (const column of columns) this.#append(this.#columns[index++], column, rows);
    await this.#file.begin();
    const { writer, groupCount } = this.#file;
    this.#file.add(await writeRowGroup(writer, this.#columns, rows, groupCount));
    for (const column of this.#columns) column.startGroup();
    this.#pages.clear();
  }

  #append(output: OutputColumn, column: LeafColumn, rows: number): void {
    const { wasm } = this.#kernels;
    const { element, definitionLevel, repetitionLevel, path } = output.leaf;
    const width = valueWidth(output.leaf);
    const uncompressed = codec.UNCOMPRESSED;
    wasm.openChunk(
      element.type!,
      width,
      definitionLevel,
      repetitionLevel,
      uncompressed,
      column.slots,
      rows,
      0,
      0,
      0,
      0,
      0,
    );
    for (const page of columnPages(column)) {
      const address = this.#kernels.input(page);
      const taken = wasm.appendPages(output.address, address, page.length, 1, 0);
      if (taken < 0) throw this.#kernels.error({ column: path });
      output.cut(false, rows);
    }
    if (wasm.closeChunk() === 0) throw this.#kernels.error({ column: path });
    output.cut(true, rows);
  }

  /** Writes indexes and footer; gives the whole file. */
  async finish(): Promise<Uint8Array> {
    await this.#file.finish(this.#schema, this.#columns.length, undefined);
    const bytes = new Uint8Array(this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of this.#chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  }
}
