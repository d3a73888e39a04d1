/** The account of a push: what became of each input. It adds up at every moment, whatever ends the push. */

/** How an input can end; each ends in exactly one of these. */
export const ends = [
  "stored",
  "was_there",
  "pending",
  "dead",
  "failed",
  "passed_over",
  "not_begun",
] as const;

/** See {@link ends}. */
export type End = typeof ends[number];

/** What became of one input. */
export interface Entry<Input> {
  input: Input;
  status: End;
  /** Id of the pending item, once there was one. */
  id?: string;
  /** Why, for all but `stored` and `was_there`. */
  code?: string;
  message?: string;
  /** Of the service's answer: where it is stored, and the compaction runs that it asked for. */
  key?: string;
  runs?: string[];
}

/** See the file's head. Inputs are told apart by identity: a file that changed is another input. */
export class Account<Input> {
  readonly #entries = new Map<Input, Entry<Input>>();

  /** Takes an input in, as not begun. */
  enter(input: Input): void {
    this.#entries.set(input, {
      input,
      status: "not_begun",
      code: "aborted",
      message: "the push was ended before its turn",
    });
  }

  /** Writes down what became of an input; an earlier end of it is replaced. */
  end(input: Input, status: End, facts: Omit<Entry<Input>, "input" | "status"> = {}): void {
    if (!this.#entries.has(input)) throw new Error("an input that was never entered");
    this.#entries.set(input, { input, status, ...facts });
  }

  /** Takes an input out: another try at it, entered by itself, counts instead. */
  forget(input: Input): void {
    this.#entries.delete(input);
  }

  of(input: Input): Entry<Input> | undefined {
    return this.#entries.get(input);
  }

  /** All entries, in the order in which the inputs came. */
  entries(): Entry<Input>[] {
    return [...this.#entries.values()];
  }

  /** How many ended how; the counts of {@link ends} add up to `input`. */
  counts(): Record<End | "input", number> {
    const counts = { input: this.#entries.size } as Record<End | "input", number>;
    for (const end of ends) counts[end] = 0;
    for (const { status } of this.#entries.values()) counts[status]++;
    return counts;
  }
}

/**
 * The exit code of an account: 0 only when everything is stored or was there, 1 when something was refused,
 * could not be saved or was passed over, 3 when something is pending or was not begun and will do.
 */
export function exitCodeOf(counts: Record<End, number>): number {
  if (counts.dead + counts.failed + counts.passed_over > 0) return 1;
  return counts.pending + counts.not_begun > 0 ? 3 : 0;
}
