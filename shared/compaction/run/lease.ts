/** A worker's own idea of the lease that it holds: until when its work can still be committed. */
import { SedimentError } from "../../errors.ts";

/** Milliseconds before the lease's end at which work is given up: its commit would be refused. */
const marginMs = 10_000;

/** See the module's head. */
export class Lease {
  readonly #controller = new AbortController();
  readonly #turn: AbortSignal;
  readonly #stop = () => this.#controller.abort(this.#turn.reason);
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param turn stops all work of the turn
   * @param seconds length of the lease, as the catalog said
   * @param since `performance.now()` of before the call that got it: clocks of machines differ, and an answer
   * may take its time
   */
  constructor(turn: AbortSignal, seconds: number, since: number) {
    this.#turn = turn;
    if (turn.aborted) this.#stop();
    else turn.addEventListener("abort", this.#stop, { once: true });
    this.extend(seconds, since);
  }

  /** Fires when the lease is about to end, and when the turn is stopped. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The catalog made it longer; arguments as the constructor's. Nothing, when it was given up before. */
  extend(seconds: number, since: number): void {
    clearTimeout(this.#timer);
    if (this.signal.aborted) return;
    const left = since + seconds * 1000 - marginMs - performance.now();
    this.#timer = setTimeout(
      () => this.#controller.abort(new SedimentError("aborted", "The lease was about to end")),
      // Leases that are hardly longer than the margin (tests have them) still get something done.
      Math.max(1000, left),
    );
  }

  /** Ends the watch. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#turn.removeEventListener("abort", this.#stop);
  }
}
