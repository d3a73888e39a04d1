/**
 * What outputs take in this process, beside what a plan expects of them in a new one. Two things make them cheaper:
 * what is paid once a process (the compiler's start, the zstd module: 135 of the 146 ms that four small files are expected
 * to take, where they took 5.5 ms in a warm process), and what was learned from the outputs before. It counts what a turn
 * has spent; what an output may take, and so what is refused, goes by the expectation alone.
 */
import type { Clock } from "../../clock.ts";
import type { MergeCost } from "../plan/merge_cost.ts";

/** Outputs that the pace is learned from. */
const remembered = 20;

/** What learning may come to: an output never counts as more than was expected, nor as almost nothing. */
const least = 0.1;

/** Milliseconds in which half of what was learned is forgotten: a machine that was idle may be busy now. */
const halfLifeMs = 10 * 60_000;

/** See the module's head. One for a process, whose turns share it. */
export class Pace {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #paid = new Set<string>();
  readonly #ratios: number[] = [];
  #learnedAt = 0;

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  /** Ms of CPU that an output is now expected to take. */
  expected(cost: MergeCost): number {
    return this.#unpaid(cost) * this.#factor();
  }

  /**
   * Tells of an output that was merged.
   *
   * @param tookMs by the clock on the wall, which is all that an isolate can read; 0: not known
   * @returns ms of CPU that it counts as: what was expected, and no more than the time that it took
   */
  spend(cost: MergeCost, tookMs: number): number {
    const expected = this.expected(cost);
    const unpaid = this.#unpaid(cost);
    for (const name of Object.keys(cost.onceMs ?? {})) this.#paid.add(name);
    if (tookMs <= 0 || unpaid <= 0) return expected;
    this.#ratios.push(tookMs / unpaid);
    if (this.#ratios.length > remembered) this.#ratios.shift();
    this.#learnedAt = this.#clock.monotonic();
    // it is one thread that merges: the wall's time is the most that it can have worked
    return Math.min(unpaid, tookMs);
  }

  #unpaid({ cpuMs, onceMs }: MergeCost): number {
    return Object.entries(onceMs ?? {}).reduce(
      (left, [name, ms]) => this.#paid.has(name) ? left - ms : left,
      cpuMs,
    );
  }

  #factor(): number {
    if (this.#ratios.length === 0) return 1;
    const sorted = this.#ratios.toSorted((one, other) => one - other);
    const median = Math.min(1, Math.max(least, sorted[sorted.length >> 1]));
    const age = this.#clock.monotonic() - this.#learnedAt;
    return 1 - (1 - median) * 2 ** (-age / halfLifeMs);
  }
}
