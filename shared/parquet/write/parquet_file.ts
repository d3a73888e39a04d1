import { SedimentError } from "../../errors.ts";
import { type ConstantColumn, withConstants } from "../format/constant_columns.ts";
import { footerBytes, footerLength } from "../format/footer.ts";
import { defaultLimits, type ParquetLimits } from "../format/limits.ts";
import { parquetError } from "../format/parquet_error.ts";
import { ThriftReader } from "../format/thrift/thrift_reader.ts";
import { wire } from "../format/thrift/wire.ts";
import { schemaTree } from "../format/schema.ts";
import { checkFooter } from "../inspect/check_chunks.ts";
import {
  type FileMetaData,
  type KeyValue,
  type SchemaElement,
  typeOrder,
} from "../format/metadata.ts";
import { appendConstants } from "./constant_chunks.ts";
import { type ByteSink, FileWriter } from "./file_writer.ts";
import type { WrittenGroup } from "./row_group_writer.ts";
import { RowOrigins } from "./row_origins.ts";

/** In the form that parquet-mr's version parser reads. */
const createdBy = "sediment version 0.2.0 (build page-merge)";

/**
 * What is asked of inputs is asked of what we write: a file that we would not read again is not one to commit. The bytes
 * are only passed over, since reading them would take the memory of a large footer twice.
 */
function checkOwnFooter(
  metadata: FileMetaData,
  footer: Uint8Array,
  pagesEnd: number,
  limits: Readonly<ParquetLimits>,
): void {
  try {
    const fileSize = pagesEnd + footer.length;
    const length = footerLength(footer.subarray(footer.length - 8), fileSize, limits);
    new ThriftReader(footer, 0, length).skip(wire.struct);
    const chunks = metadata.rowGroups.reduce((sum, { columns }) => sum + columns.length, 0);
    const counts: [string, number, number][] = [
      ["elements of the schema", metadata.schema.length, limits.schemaElements],
      ["row groups", metadata.rowGroups.length, limits.rowGroups],
      ["column chunks", chunks, limits.columnChunks],
    ];
    for (const [what, count, most] of counts) {
      if (count > most) {
        throw parquetError("invalid_parquet", `there are ${count} ${what}, over ${most}`);
      }
    }
    checkFooter(metadata, schemaTree(metadata.schema, limits), pagesEnd, limits);
  } catch (cause) {
    if (!(cause instanceof SedimentError)) throw cause;
    throw new SedimentError(
      "output_refused",
      `The output's own footer is refused: ${cause.message}`,
      {
        cause,
      },
    );
  }
}

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

  /** Where the rows so far came from, by what the row groups say. */
  get origins(): RowOrigins {
    const all = new RowOrigins();
    for (const { origins } of this.#groups) if (origins !== undefined) all.addFrom(origins);
    return all;
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

  /**
   * Writes page indexes (all column indexes, then all offset indexes) and the footer. Throws `output_refused` when the
   * footer is not one that we would take of others.
   *
   * @param schema the flat list of `leafCount` columns; those of `constants` come behind them, and then no element keeps
   *   its field id
   * @param unseen gives bytes that stand before the footer, where nothing refers to them
   */
  async finish(
    schema: readonly SchemaElement[],
    leafCount: number,
    keyValues: KeyValue[] | undefined,
    limits: Readonly<ParquetLimits> = defaultLimits,
    unseen?: () => Uint8Array | undefined,
    constants: readonly ConstantColumn[] = [],
  ): Promise<FileMetaData> {
    await this.begin();
    if (constants.length > 0) {
      schema = withConstants(schema, constants);
      const { leaves } = schemaTree(schema, limits);
      const last = leaves.slice(leafCount);
      leafCount = leaves.length;
      for (const group of this.#groups) await appendConstants(this.writer, group, constants, last);
    }
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
    const footer = footerBytes(metadata);
    const more = unseen?.();
    if (more !== undefined) await this.writer.write(more);
    checkOwnFooter(metadata, footer, this.writer.offset, limits);
    await this.writer.write(footer);
    await this.writer.flush();
    return metadata;
  }
}
