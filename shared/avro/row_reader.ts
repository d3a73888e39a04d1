import { invalid, placed } from "./avro_error.ts";
import type { AvroBlock } from "./blocks.ts";
import { buildColumns } from "./columns/build_columns.ts";
import { ColumnMemory } from "./columns/column_memory.ts";
import { type LeafColumn, leafColumns } from "./columns/leaf_columns.ts";
import type { RecordNode } from "./columns/nested.ts";
import { Cursor } from "./cursor.ts";
import type { AvroLimits } from "./limits.ts";
import type { AvroRecord } from "./schema.ts";

/** Takes the rows of blocks into columns, as many as a row group is to have. */
export class RowReader {
  /** Rows in the columns. */
  rows = 0;
  readonly #memory: ColumnMemory;
  readonly #columns: RecordNode;
  readonly #cursor = new Cursor();
  #block: AvroBlock | undefined;
  #next = 0;

  constructor(schema: AvroRecord, limits: AvroLimits) {
    this.#memory = new ColumnMemory(limits);
    this.#columns = buildColumns(schema, this.#memory) as RecordNode;
  }

  /** Begins a block. The one before must have been read to its end. */
  open(block: AvroBlock): void {
    this.#block = block;
    this.#next = 0;
    this.#cursor.reset(block.data);
  }

  /**
   * Reads rows of the open block until it ends or the columns are full.
   *
   * @returns whether the block has ended
   * @throws SedimentError invalid_avro, unsupported_avro with the block, the row and the field's path
   */
  read(): boolean {
    const block = this.#block!;
    const memory = this.#memory, columns = this.#columns, cursor = this.#cursor;
    const width = columns.columns;
    let inRow = false;
    try {
      memory.expect(block.count - this.#next, width);
      while (this.#next < block.count) {
        if (memory.full) return false;
        memory.count(1, width);
        inRow = true;
        columns.read(cursor);
        inRow = false;
        this.#next++;
        this.rows++;
      }
      if (cursor.remaining > 0) {
        throw invalid(`${cursor.remaining} bytes are left after the ${block.count} objects`);
      }
      return true;
    } catch (thrown) {
      const path = inRow ? columns.stoppedAt().slice(1) : undefined;
      throw placed(thrown, { block: block.index, row: this.#next, path });
    }
  }

  /** The columns' values, to be used up before {@link clear}. */
  columns(): Generator<LeafColumn> {
    return leafColumns(this.#columns, this.rows);
  }

  /** Forgets the rows, for a new row group. */
  clear(): void {
    this.#columns.clear();
    this.#memory.release();
    this.rows = 0;
  }
}
