import { chunkExtent } from "../check_chunks.ts";
import { kernelErrors } from "../kernels/kernel_error.ts";
import type { Kernels } from "../kernels/kernels.ts";
import type { RowGroup } from "../metadata.ts";
import { atPlace } from "../parquet_error.ts";
import type { SchemaNode, SchemaTree } from "../schema.ts";
import { writeRowGroup } from "../write/row_group_writer.ts";
import type { ParquetFile } from "../write/parquet_file.ts";
import type { MergeSettings } from "./merge_settings.ts";
import { checkRows, OutputColumn, type PageSettings } from "./output_column.ts";
import type { LeafSource, SourcePlan } from "./source_plan.ts";
import { valueWidth } from "./value_order.ts";

/** A file's schema and how it fills the output. */
export interface Layout {
  tree: SchemaTree;
  plan: SourcePlan;
}

/** The row group that is being built: columns to which row groups of the inputs are appended. */
export class GroupBuilder {
  readonly columns: OutputColumn[];
  readonly #kernels: Kernels;
  readonly #settings: MergeSettings;
  /** Rows since the last {@link flush}. */
  rows = 0;
  #keptRows = 0;
  /** Bytes and rows of the groups so far, from which the next one's rows are guessed. */
  #rowsGuess = 100_000;
  /** Addresses of level maps in the kernels' memory. */
  readonly #levelMaps = new WeakMap<Uint8Array, number>();

  constructor(
    kernels: Kernels,
    output: SchemaTree,
    settings: MergeSettings,
    pages: PageSettings,
  ) {
    this.#kernels = kernels;
    this.#settings = settings;
    this.columns = output.leaves.map((leaf) => new OutputColumn(kernels, leaf, pages));
  }

  /**
   * Appends a row group whose chunks lie in the kernels' memory: a file's byte `offset` is at
   * `address + offset`. On an error some columns have its rows and others don't: {@link rollback} then.
   */
  appendGroup(layout: Layout, group: RowGroup, address: number): void {
    const { leaves } = layout.plan;
    let siblings = false;
    for (let i = 0; i < leaves.length; i++) {
      const source = leaves[i];
      if (source.kind === "pages") {
        const meta = group.columns[source.leaf].metaData!;
        const { start, length } = chunkExtent(meta);
        this.open(layout.tree.leaves[source.leaf], source, group);
        const taken = this.#kernels.wasm.appendPages(
          this.columns[i].address,
          address + start,
          length,
          1,
          0,
        );
        if (taken < 0 || this.#kernels.wasm.closeChunk() === 0) {
          throw this.fault(layout.tree.leaves[source.leaf]);
        }
      } else if (source.kind === "nulls") this.appendNulls(i, group.numRows, source);
      else siblings = true;
    }
    if (siblings) {
      for (let i = 0; i < leaves.length; i++) {
        const source = leaves[i];
        if (source.kind === "sibling") this.appendFromSibling(i, group.numRows, source);
      }
    }
    this.rows += group.numRows;
  }

  /** Opens a chunk in the kernels for its pages to be appended. */
  open(leaf: SchemaNode, source: LeafSource & { kind: "pages" }, group: RowGroup): void {
    const meta = group.columns[source.leaf].metaData!;
    this.#kernels.wasm.openChunk(
      meta.type,
      valueWidth(leaf),
      leaf.definitionLevel,
      leaf.repetitionLevel,
      meta.codec,
      meta.numValues,
      group.numRows,
      source.levels === undefined ? 0 : this.#levelMap(source.levels),
      source.conversion ?? 0,
      source.parameter ?? 0,
      0,
    );
  }

  #levelMap(levels: Uint8Array): number {
    let address = this.#levelMaps.get(levels);
    if (address === undefined) {
      // all 256 levels, so that no byte can point behind the table
      address = this.#kernels.wasm.alloc(256);
      if (address === 0) throw this.#kernels.error({});
      const table = this.#kernels.bytes(address, 256);
      table.fill(0);
      table.set(levels.subarray(0, 256));
      this.#levelMaps.set(levels, address);
    }
    return address;
  }

  appendNulls(column: number, rows: number, source: LeafSource & { kind: "nulls" }): void {
    const { address, leaf } = this.columns[column];
    if (this.#kernels.wasm.appendNulls(address, rows, source.definitionLevel) === 0) {
      throw this.#kernels.error({ column: leaf.path });
    }
  }

  appendFromSibling(
    column: number,
    rows: number,
    source: LeafSource & { kind: "sibling" },
  ): void {
    const { wasm } = this.#kernels;
    const sibling = this.columns[source.sibling].address;
    const { address, leaf } = this.columns[column];
    // the sibling's last rows are those of this row group
    const done = wasm.appendFromSibling(
      address,
      sibling,
      wasm.levelsBeforeRows(sibling, rows),
      source.repetitionLevel,
      source.definitionLevel,
    );
    if (done === 0) throw this.#kernels.error({ column: leaf.path });
  }

  /** The error of the open chunk, naming column and page. */
  fault(leaf: SchemaNode): Error {
    return this.#kernels.error({ column: leaf.path, page: this.#kernels.wasm.getPagesRead() });
  }

  /** Whether the last error is one that another decoder may not have. */
  get lastIsUnknown(): boolean {
    const code = this.#kernels.wasm.getErrorCode();
    return code === kernelErrors.unknownEncoding || code === kernelErrors.unknownCodec;
  }

  /** Keeps what was appended; a later {@link rollback} goes back to here. */
  commit(): void {
    this.#keptRows = this.rows;
    const { wasm } = this.#kernels;
    for (const column of this.columns) {
      column.cut(false, this.#rowsGuess);
      wasm.checkpoint(column.address);
    }
  }

  /** Forgets what was appended since the last commit. */
  rollback(): void {
    this.rows = this.#keptRows;
    for (const column of this.columns) this.#kernels.wasm.rollback(column.address);
  }

  /** Forgets the whole open row group. */
  reset(): void {
    this.rows = 0;
    this.#keptRows = 0;
    for (const column of this.columns) column.startGroup();
  }

  /** Whether the row group has reached its size. */
  get isFull(): boolean {
    if (this.rows >= this.#settings.rowGroupRows) return true;
    let bytes = 0;
    for (const column of this.columns) bytes += column.pagedBytes + column.pendingBytes;
    return bytes >= this.#settings.rowGroupBytes;
  }

  /** Writes the row group, when it has rows. */
  async flush(file: ParquetFile): Promise<void> {
    if (this.rows === 0) return;
    const rows = this.rows;
    for (const column of this.columns) {
      try {
        column.cut(true, rows);
        checkRows(column, rows);
      } catch (error) {
        throw atPlace(error, { column: column.leaf.path });
      }
    }
    await file.begin();
    file.add(await writeRowGroup(file.writer, this.columns, rows, file.groupCount));
    this.#rowsGuess = rows;
    this.reset();
  }
}
