import type { Cursor } from "../cursor.ts";

/**
 * A part of the column tree: it takes values of one Avro type off a cursor and keeps what was in them.
 *
 * Nothing is kept for what is not there: a null record costs its parent one byte and the columns below it
 * nothing, a list one length. {@link leafColumns} turns this into Parquet's levels when a row group is
 * written.
 */
export interface ColumnNode {
  /** How many columns there are at and below. */
  readonly columns: number;
  /** Takes one value. */
  read(cursor: Cursor): void;
  /** The path from here to where {@link read} stopped with a fault: `.name[]`. */
  stoppedAt(): string;
  /** Forgets the values. */
  clear(): void;
}
