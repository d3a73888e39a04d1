import { SedimentError } from "../../../errors.ts";
import { RowOrigins } from "../../write/row_origins.ts";

/** Where each of the rows came from that wait to be sorted, by their numbers in the order of the inputs. */
export class WaitingOrigins {
  /** The origins of stretches, and by row which stretch it is in: none by row where there is one stretch only. */
  readonly #origins: number[] = [];
  readonly #stretchOf: Uint32Array;

  constructor(rows: number, waiting: RowOrigins) {
    if (waiting.rowCount !== rows) {
      throw new SedimentError("internal", `${rows} rows wait, and origins of ${waiting.rowCount}`);
    }
    this.#stretchOf = new Uint32Array(waiting.runCount === 1 ? 0 : rows);
    let at = 0;
    for (const [origin, count] of waiting.runs()) {
      this.#stretchOf.fill(this.#origins.length, at, at += count);
      this.#origins.push(origin);
    }
  }

  /**
   * Takes rows of some origins out of a permutation of rows, in place.
   * @returns how many are left, at its beginning, and how many of each origin are out
   */
  leaveOut(
    permutation: Uint32Array,
    drop: ReadonlySet<number>,
  ): { kept: number; deleted: Map<number, number> } {
    const deleted = new Map<number, number>();
    if (!this.#origins.some((origin) => drop.has(origin))) {
      return { kept: permutation.length, deleted };
    }
    let kept = 0;
    for (const row of permutation) {
      const origin = this.#originOf(row);
      if (drop.has(origin)) deleted.set(origin, (deleted.get(origin) ?? 0) + 1);
      else permutation[kept++] = row;
    }
    return { kept, deleted };
  }

  /** The origins of rows in their order. */
  of(permutation: Uint32Array): RowOrigins {
    if (this.#stretchOf.length === 0) return RowOrigins.of(this.#origins[0], permutation.length);
    const all = new RowOrigins();
    for (const row of permutation) all.add(this.#originOf(row), 1);
    return all;
  }

  #originOf(row: number): number {
    return this.#origins[this.#stretchOf.length === 0 ? 0 : this.#stretchOf[row]];
  }
}
