/**
 * How many problems this isolate has answered, by code. The sums are told to the catalog now and then, so that a storm of
 * refusals costs it a row a code and pause, and refusing stays cheap. What an isolate has not told when it ends is lost:
 * these are figures for a graph, not an account.
 */

/** Counts problems. */
export interface ProblemCounter {
  /** Counts one; where it is time to, resolves when the sums were told. Never rejects. */
  count(code: string): Promise<void>;
}

/** What {@link createProblemCounter} can be told. */
export interface ProblemCounterOptions {
  /** Takes the sums since it took them last. */
  tell(counts: Record<string, number>, signal: AbortSignal): Promise<unknown>;
  /** Ms from one telling to the next. @default 10000 */
  everyMs?: number;
  /** Ms that a telling may take. @default 2000 */
  deadlineMs?: number;
  /** Ms since whenever. @default performance.now */
  now?: () => number;
}

/** A counter that has counted nothing and tells of the first problem at once. */
export function createProblemCounter(options: ProblemCounterOptions): ProblemCounter {
  const { tell, everyMs = 10_000, deadlineMs = 2_000, now = () => performance.now() } = options;
  let counts = new Map<string, number>();
  let nextAt = -Infinity;

  function add(code: string, times: number): void {
    counts.set(code, (counts.get(code) ?? 0) + times);
  }

  return {
    async count(code) {
      add(code, 1);
      if (now() < nextAt) return;
      nextAt = now() + everyMs;
      const told = counts;
      counts = new Map();
      try {
        await tell(Object.fromEntries(told), AbortSignal.timeout(deadlineMs));
      } catch {
        // Told with the next ones. If it was done all the same, they count twice: the answer was lost.
        for (const [name, times] of told) add(name, times);
      }
    },
  };
}
