import { unsupported } from "../avro_error.ts";
import type { AvroLimits } from "../limits.ts";

/**
 * The account of what one conversion holds in its columns and has put into them. Everything that grows asks
 * here first, so that few bytes can't become much memory or much work.
 */
export class ColumnMemory {
  /** Bytes that the columns of the present row group hold. */
  used = 0;
  /** Values put into all columns so far, nulls counted. */
  values = 0;
  readonly #limits: AvroLimits;

  constructor(limits: AvroLimits) {
    this.#limits = limits;
  }

  /** Whether it is time to write a row group. */
  get full(): boolean {
    return this.used >= this.#limits.rowGroupBytes;
  }

  /** Asks for so many more bytes. */
  take(bytes: number): void {
    this.used += bytes;
    if (this.used > this.#limits.columnBytes) {
      throw unsupported(`a row takes the columns over ${this.#limits.columnBytes} bytes`);
    }
  }

  /**
   * Counts items (rows, or items of a list), each with a value in so many columns. An item's levels are two
   * bytes while its column is written.
   */
  count(items: number, columns: number): void {
    this.expect(items, columns);
    this.values += items * columns;
    this.take(items * 2);
  }

  /** Refuses so many items before the first of them is read, where there cannot be as many. */
  expect(items: number, columns: number): void {
    if (this.values + items * columns > this.#limits.values) throw this.#tooMany();
  }

  /** Begins a new row group, once all columns let go of theirs. */
  release(): void {
    this.used = 0;
  }

  #tooMany() {
    return unsupported(`the file has more than ${this.#limits.values} values in its columns`);
  }
}
