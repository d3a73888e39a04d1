/**
 * One line of time for all simulated processes: events in order of their moment, chance from one seed.
 * Nothing here waits for real; between two events all that can run has run.
 */
import { setImmediate } from "node:timers";

/** A queue of events, and the seeded chance that orders and breaks things. */
export class VirtualTime {
  /** Milliseconds since the start of the world; only grows. */
  elapsed = 0;
  /** What clock jumps have added to the wall clock. */
  shift = 0;
  #state: number;
  #sequence = 0;
  readonly #heap: { at: number; sequence: number; run: () => void }[] = [];

  constructor(seed: number) {
    this.#state = (seed * 2654435761 + 97) >>> 0;
  }

  /** Wall clock. */
  now(): number {
    return Date.UTC(2026, 10, 22) + this.elapsed + this.shift;
  }

  /** In [0, 1); mulberry32. */
  random(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** Whether something with this probability happens. */
  chance(probability: number): boolean {
    return this.random() < probability;
  }

  /** A whole number in [from, to]. */
  between(from: number, to: number): number {
    return from + Math.floor(this.random() * (to - from + 1));
  }

  /** One of a list. */
  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.random() * from.length)];
  }

  /** Lets something happen later. */
  after(milliseconds: number, run: () => void): void {
    const heap = this.#heap;
    const event = { at: this.elapsed + Math.max(0, milliseconds), sequence: this.#sequence++, run };
    heap.push(event);
    for (let i = heap.length - 1; i > 0;) {
      const parent = (i - 1) >> 1;
      if (!earlier(heap[i], heap[parent])) break;
      [heap[i], heap[parent]] = [heap[parent], heap[i]];
      i = parent;
    }
  }

  /** Runs events until none is left before `until` (elapsed ms), or `done()` says so. */
  async run(until: number, done: () => boolean = () => false): Promise<number> {
    let events = 0;
    await settle();
    while (this.#heap.length > 0 && this.#heap[0].at <= until && !done()) {
      const event = this.#take();
      this.elapsed = Math.max(this.elapsed, event.at);
      event.run();
      events++;
      await settle();
    }
    if (!done()) this.elapsed = Math.max(this.elapsed, until);
    return events;
  }

  #take() {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop()!;
    if (heap.length > 0) {
      heap[0] = last;
      for (let i = 0;;) {
        const left = 2 * i + 1, right = left + 1;
        let least = i;
        if (left < heap.length && earlier(heap[left], heap[least])) least = left;
        if (right < heap.length && earlier(heap[right], heap[least])) least = right;
        if (least === i) break;
        [heap[i], heap[least]] = [heap[least], heap[i]];
        i = least;
      }
    }
    return first;
  }
}

function earlier(
  a: { at: number; sequence: number },
  b: { at: number; sequence: number },
): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence);
}

/** Returns when every promise that could go on has gone on: nothing below does real I/O. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => resolve()));
}
