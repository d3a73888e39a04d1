/**
 * One scheduler over many actors. Every call that an actor makes through a port stops at a gate; the
 * scheduler opens one gate at a time, chosen by the seed, and waits until that call has ended and the actor
 * stands at its next gate. So the order of all effects is the seed's.
 */
import { setImmediate } from "node:timers";
import type { Random } from "./random.ts";

/** What happens to a call when its gate opens. */
export type Fault =
  | "none"
  /** Fails and was not done. */
  | "before"
  /** Was done, but the caller is told that it failed. */
  | "after"
  /** The actor dies instead of making the call. */
  | "die-before"
  /** The actor dies before it hears the answer. */
  | "die-after"
  /** The call is made only after time and many others have passed. */
  | "late"
  /** The call is made at once, but its answer comes only after time and many others have passed. */
  | "slow"
  /** The call is made twice; the second answer is the one that is heard. */
  | "twice";

interface Semaphore {
  actor: string;
  call: string;
  /** A stalled gate is not opened before this step, and then without a further fault. */
  notBefore?: number;
  stall(): Promise<void>;
  open(fault: Fault): Promise<void>;
}

/** Chooses the fault of a call. */
export type FaultPlan = (actor: string, call: string, random: Random) => Fault;

/** One line of what happened. */
export interface TraceLine {
  step: number;
  actor: string;
  call: string;
  fault: Fault;
}

/** See the module's head. */
export class Scheduler {
  readonly trace: TraceLine[] = [];
  #gates: Semaphore[] = [];
  #alive = new Set<string>();
  #dead = new Set<string>();
  #failures: unknown[] = [];
  /** Steps whose faults are left out; the dice are thrown all the same. */
  without: ReadonlySet<number> = new Set();
  steps = 0;
  faults = 0;

  constructor(
    private readonly random: Random,
    /** The running plan; replaced when faults are switched off at the end. */
    public faultPlan: FaultPlan,
  ) {}

  /** Starts an actor. It ends when its work returns, or dies at a gate. */
  start(actor: string, work: () => Promise<void>): void {
    this.#alive.add(actor);
    work().catch((error) => {
      if (!this.#dead.has(actor)) this.#failures.push(error);
    }).finally(() => this.#alive.delete(actor));
  }

  /** Waits until everyone has ended, where actors pass no gates; throws what an actor threw. */
  async idle(): Promise<void> {
    while (this.#alive.size > 0 && this.#failures.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  /** Whether the actor runs. */
  isAlive(actor: string): boolean {
    return this.#alive.has(actor);
  }

  /**
   * Passes a call through the actor's gate.
   *
   * @param effect makes the call
   * @param failure the error of a call that failed, or whose answer was lost
   * @param stall lets time pass while a call is late
   * @returns never, when the actor died
   */
  pass<T>(
    actor: string,
    call: string,
    effect: () => Promise<T>,
    failure: () => Error,
    stall: () => Promise<void>,
  ): Promise<T> {
    // The dead make no calls; their promises stay open, as those of a killed process do.
    if (this.#dead.has(actor)) return new Promise(() => {});
    return new Promise<T>((resolve, reject) => {
      const open = async (fault: Fault) => {
        if (fault === "die-before") return this.#kill(actor);
        if (fault === "before") return reject(failure());
        try {
          let answer = await effect();
          if (fault === "twice") answer = await effect();
          if (fault === "die-after") return this.#kill(actor);
          if (fault === "after") return reject(failure());
          if (fault === "slow") {
            return await this.#answerLate(actor, call, stall, () => resolve(answer));
          }
          resolve(answer);
        } catch (error) {
          if (fault === "die-after") return this.#kill(actor);
          if (fault === "slow") {
            return await this.#answerLate(actor, call, stall, () => reject(error));
          }
          reject(error);
        }
      };
      this.#gates.push({ actor, call, open, stall });
    });
  }

  async #answerLate(
    actor: string,
    call: string,
    stall: () => Promise<void>,
    answer: () => void,
  ): Promise<void> {
    await stall();
    const open = () => Promise.resolve(answer());
    this.#gates.push({
      actor,
      call: `answer of ${call}`,
      open,
      stall,
      notBefore: this.#afterMany(),
    });
  }

  /** The step before which a stalled gate stays shut. */
  #afterMany(): number {
    return this.steps + this.random.whole(3, 60);
  }

  #kill(actor: string): void {
    this.#dead.add(actor);
    this.#alive.delete(actor);
    this.#gates = this.#gates.filter((gate) => gate.actor !== actor);
  }

  /** Lets one actor die where it stands, between two gates. */
  kill(actor: string): void {
    this.#kill(actor);
  }

  /** Lets every actor that is left die where it stands. */
  killAll(): void {
    for (const actor of [...this.#alive]) this.#kill(actor);
  }

  /**
   * Opens gates until no actor is left, or `most` are open.
   *
   * @throws what an actor threw: actors handle the errors of ports, so that is a fault of the code under test
   *   or of the simulation
   */
  async run(most: number): Promise<void> {
    for (let opened = 0; opened < most; opened++) {
      await this.#settle();
      if (this.#failures.length > 0) throw this.#failures[0];
      if (this.#gates.length === 0) return;
      const gate = this.#choose();
      const drawn = gate.notBefore === undefined
        ? this.faultPlan(gate.actor, gate.call, this.random)
        : "none";
      this.steps++;
      const fault = this.without.has(this.steps) ? "none" : drawn;
      if (fault !== "none") this.faults++;
      this.trace.push({ step: this.steps, actor: gate.actor, call: gate.call, fault });
      if (fault === "late") {
        await gate.stall();
        this.#gates.push({ ...gate, notBefore: this.#afterMany() });
      } else {
        await gate.open(fault);
      }
    }
  }

  /** Takes a gate: any that is not stalled; when all are, the one that has waited for longest. */
  #choose(): Semaphore {
    const open = this.#gates.filter(({ notBefore = 0 }) => notBefore <= this.steps);
    const gate = open.length > 0
      ? this.random.pick(open)
      : this.#gates.toSorted((a, b) => a.notBefore! - b.notBefore!)[0]!;
    this.#gates.splice(this.#gates.indexOf(gate), 1);
    return gate;
  }

  /** Waits until everyone who lives stands at a gate, however long the database takes on this machine. */
  async #settle(): Promise<void> {
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
    const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 1));
    await turn();
    const until = performance.now() + 180_000;
    for (let tries = 0; performance.now() < until; tries++) {
      const standing = new Set(this.#gates.map((gate) => gate.actor));
      if ([...this.#alive].every((actor) => standing.has(actor))) return await turn();
      if (this.#failures.length > 0) return;
      await (tries < 1_000 ? turn() : pause());
    }
    const stuck = [...this.#alive].filter((actor) => !this.#gates.some((g) => g.actor === actor));
    throw new Error(`the simulation hangs: ${stuck.join(", ")} waits for something without a gate`);
  }
}
