/**
 * One turn at a time in an isolate. A hosted one serves several requests, and its CPU time and memory are added up over
 * them: four turns at once took 1,900 ms and 348 MB where one takes 1,040 ms and 192 MB, and the limits are 2,000 ms
 * and 256 MB.
 */

/** What a ping that came during a turn is answered. */
export interface Busy {
  busy: true;
}

/** See the module's head. */
export class SingleTurn<Report> {
  #running = false;
  #asked = false;
  readonly #turn: () => Promise<Report>;
  readonly #mayGoOn: (report: Report) => boolean;
  readonly #leavesWork: (report: Report) => boolean;
  readonly #wakeSuccessor: () => Promise<void>;

  /**
   * @param turn takes a turn
   * @param options `mayGoOn`: whether this isolate can take another one, for who came meanwhile; `leavesWork`: whether a
   *   turn that nobody came during should have a successor; `wakeSuccessor` is called when this one is free again, in case
   *   that the ping comes back to it, and what it throws is nobody's to wait for
   */
  constructor(
    turn: () => Promise<Report>,
    options: {
      mayGoOn: (report: Report) => boolean;
      leavesWork?: (report: Report) => boolean;
      wakeSuccessor: () => Promise<void>;
    },
  ) {
    this.#turn = turn;
    this.#mayGoOn = options.mayGoOn;
    this.#leavesWork = options.leavesWork ?? (() => false);
    this.#wakeSuccessor = options.wakeSuccessor;
  }

  /** Whether a turn is being taken. */
  get running(): boolean {
    return this.#running;
  }

  /** Takes a turn, or leaves word with the one that is taken. Gives the report of the last turn that was taken. */
  async take(): Promise<Report | Busy> {
    if (this.#running) {
      this.#asked = true;
      return { busy: true };
    }
    this.#running = true;
    let report: Report | undefined;
    try {
      do {
        this.#asked = false;
        report = await this.#turn();
      } while (this.#asked && this.#mayGoOn(report));
      return report;
    } finally {
      const wake = this.#asked || (report !== undefined && this.#leavesWork(report));
      this.#running = this.#asked = false;
      if (wake) await this.#wakeSuccessor().catch(() => {});
    }
  }
}
