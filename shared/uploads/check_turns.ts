/**
 * Long checks go one at a time, user by user, two milliseconds on and nine times as long off, so that what one user sends
 * keeps nobody waiting. A check is long once its user's checks have worked for longer than those of ordinary uploads do:
 * many at once that are each a little under it would take as much. Before that it rests as long as it has worked; while nobody
 * else is there it lets what comes go on as often, without a rest.
 */
import { setImmediate } from "node:timers";
import { createFairTurns } from "../fair_turns.ts";
import type { Pause } from "../parquet/inspect/pause.ts";

/** How the time is cut, ms. */
export interface TurnTimes {
  /** What a user's checks may work before they are long ones; as time goes by it comes back. @default 20 */
  freeMs?: number;
  /** What a check works at a stretch, as far as its steps are that short. @default 2 */
  workMs?: number;
  /** Off time as a multiple of the time on. @default 9 */
  restRatio?: number;
}

/** Checks of one isolate. */
export interface CheckTurns {
  /**
   * Runs a check; it asks `pause` between its steps.
   *
   * @param hasOthers whether there is somebody to rest for. @default there always is
   */
  take<T>(
    user: string,
    check: (pause: Pause) => Promise<T>,
    hasOthers?: () => boolean,
  ): Promise<T>;
}

/** No check waits by itself: `pause` does. */
export function createCheckTurns(times: TurnTimes = {}): CheckTurns {
  const { freeMs = 20, workMs = 2, restRatio = 9 } = times;
  const turns = createFairTurns({ total: 1 });
  const free = freeTimes(freeMs, 1 / (1 + restRatio));

  return {
    async take(user, check, hasOthers = () => true) {
      let resumed = performance.now();
      let yielded = resumed;
      let release: (() => void) | undefined;
      const begin = async () => {
        release = await turns.take(user);
        resumed = performance.now();
      };
      const rest = async (ms: number) => {
        await new Promise((resume) => setTimeout(resume, ms));
        resumed = performance.now();
      };
      // by a timer where there are others: Deno runs what setImmediate was given before it looks for what has come in
      const letOthersOn = async (ms: number) => {
        await new Promise<void>((resume) => {
          if (hasOthers()) setTimeout(resume, ms);
          else setImmediate(resume);
        });
        resumed = yielded = performance.now();
      };
      const pause: Pause = (aheadMs = 0) => {
        const now = performance.now(), on = now - resumed;
        if (release !== undefined) {
          if (on <= workMs) return undefined;
          return hasOthers() ? rest(on * restRatio) : letOthersOn(0);
        }
        resumed = now;
        if (free.spend(user, on, now) < aheadMs) return begin();
        return now - yielded > workMs ? letOthersOn(now - yielded) : undefined;
      };
      try {
        return await check(pause);
      } finally {
        if (release !== undefined) release();
        else free.spend(user, performance.now() - resumed, performance.now());
      }
    },
  };
}

/** Users that are looked through for those who have all their time again. */
const mostUsers = 1_000;

/**
 * What each user has left of `most` ms, which come back at `rate` ms a ms.
 */
function freeTimes(most: number, rate: number) {
  const spent = new Map<string, { ms: number; at: number }>();
  const owed = ({ ms, at }: { ms: number; at: number }, now: number) =>
    Math.max(0, ms - (now - at) * rate);
  return {
    /** @returns what is left then, ms; below 0 when it was more */
    spend(user: string, ms: number, now: number): number {
      const before = spent.get(user);
      // what is owed stays within reach: an hour's work is not waited for
      const after = Math.min(2 * most, (before === undefined ? 0 : owed(before, now)) + ms);
      if (before === undefined && spent.size >= mostUsers) {
        for (const [other, one] of spent) if (owed(one, now) === 0) spent.delete(other);
      }
      spent.set(user, { ms: after, at: now });
      return most - after;
    },
  };
}
