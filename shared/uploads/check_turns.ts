/**
 * Long checks go one at a time, user by user, a few milliseconds on and four times as long off, so that what one user sends
 * keeps nobody waiting. A check is long once it has worked for longer than the checks of ordinary uploads do.
 */
import { createFairTurns } from "../fair_turns.ts";
import type { Pause } from "../parquet/inspect/pause.ts";

/** How the time is cut, ms. */
export interface TurnTimes {
  /** What a check may work before it is a long one. @default 20 */
  freeMs?: number;
  /** What a long check works at a stretch, as far as its steps are that short. @default 4 */
  workMs?: number;
  /** Off time as a multiple of the time on. @default 4 */
  restRatio?: number;
}

/** Checks of one isolate. */
export interface CheckTurns {
  /** Runs a check; it asks `pause` between its steps. */
  take<T>(user: string, check: (pause: Pause) => Promise<T>): Promise<T>;
}

/** No check waits by itself: `pause` does. */
export function createCheckTurns(times: TurnTimes = {}): CheckTurns {
  const { freeMs = 20, workMs = 4, restRatio = 4 } = times;
  const turns = createFairTurns({ total: 1 });

  return {
    async take(user, check) {
      let resumed = performance.now();
      let release: (() => void) | undefined;
      const begin = async () => {
        release = await turns.take(user);
        resumed = performance.now();
      };
      const rest = async (ms: number) => {
        await new Promise((resume) => setTimeout(resume, ms));
        resumed = performance.now();
      };
      const pause: Pause = (aheadMs = 0) => {
        const on = performance.now() - resumed;
        if (release === undefined) return on + aheadMs > freeMs ? begin() : undefined;
        return on > workMs ? rest(on * restRatio) : undefined;
      };
      try {
        return await check(pause);
      } finally {
        release?.();
      }
    },
  };
}
