/** A progress bar on a terminal, sparse plain lines when piped. Everything goes to standard error. */

const encoder = new TextEncoder();
const width = 28;

/** One bar: call `set` as the work goes on and `end` once. */
export class ProgressBar {
  readonly #label: string;
  readonly #total: number;
  readonly #live = Deno.stderr.isTerminal();
  readonly #started = performance.now();
  #shown = -1;

  /** @param total the count that means done; at least 1 */
  constructor(label: string, total: number) {
    this.#label = label;
    this.#total = Math.max(1, total);
  }

  /** Shows that `done` of the total are done, with a short note behind. */
  set(done: number, note = ""): void {
    const share = Math.min(1, done / this.#total);
    const step = this.#live ? Math.floor(share * 200) : Math.floor(share * 4);
    if (step === this.#shown) return;
    this.#shown = step;
    const filled = Math.round(share * width);
    const bar = "█".repeat(filled) + "░".repeat(width - filled);
    const text = `${this.#label.padEnd(9)} ${bar} ${done}/${this.#total} ${note}`;
    this.#write(this.#live ? `\r\x1b[2K${text}` : `${text}\n`);
  }

  /** Ends the line with what came out and how long it took. */
  end(outcome: string): void {
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(1);
    const text = `${this.#label.padEnd(9)} ${outcome} in ${seconds} s\n`;
    this.#write(this.#live ? `\r\x1b[2K${text}` : text);
  }

  #write(text: string): void {
    Deno.stderr.writeSync(encoder.encode(text));
  }
}
