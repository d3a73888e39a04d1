/** Turns at something scarce, dealt user by user: who asks for many waits behind who asks for one. */
import { SedimentError } from "./errors.ts";

/** How many turns there are. */
export interface FairTurnsOptions {
  /** Turns at once, all users together. */
  total: number;
  /** Turns at once of one user. @default total */
  perUser?: number;
  /** Calls of one user that may wait; more are refused. @default 100 */
  waiting?: number;
}

/** Turns of one process. */
export interface FairTurns {
  /**
   * Waits for a turn.
   *
   * @returns gives the turn back; call it once
   * @throws SedimentError `rate_limited` when too many of the user's calls wait already, `aborted`
   */
  take(user: string, signal?: AbortSignal): Promise<() => void>;
}

interface Waiter {
  go(): void;
}

/** Nobody has a turn yet. */
export function createFairTurns(options: FairTurnsOptions): FairTurns {
  const { total, perUser = total, waiting: mostWaiting = 100 } = options;
  /** Users that wait, the one first whose turn it is. */
  const waiting = new Map<string, Waiter[]>();
  const holding = new Map<string, number>();
  let held = 0;

  const mayGo = (user: string) => held < total && (holding.get(user) ?? 0) < perUser;

  function begin(user: string): void {
    held++;
    holding.set(user, (holding.get(user) ?? 0) + 1);
  }

  function end(user: string): void {
    held--;
    const left = holding.get(user)! - 1;
    if (left === 0) holding.delete(user);
    else holding.set(user, left);
    for (const [next, own] of waiting) {
      if (held >= total) return;
      if (!mayGo(next)) continue;
      waiting.delete(next);
      const { go } = own.shift()!;
      if (own.length > 0) waiting.set(next, own); // behind the others
      begin(next);
      go();
    }
  }

  return {
    take(user, signal) {
      let given = false;
      const giveBack = () => {
        if (!given) end(user);
        given = true;
      };
      if (!waiting.has(user) && mayGo(user)) {
        begin(user);
        return Promise.resolve(giveBack);
      }
      const own = waiting.get(user) ?? [];
      if (own.length >= mostWaiting) {
        return Promise.reject(tooMany(own.length));
      }
      waiting.set(user, own);
      return new Promise((resolve, reject) => {
        const waiter: Waiter = {
          go() {
            signal?.removeEventListener("abort", leave);
            resolve(giveBack);
          },
        };
        const leave = () => {
          own.splice(own.indexOf(waiter), 1);
          if (own.length === 0 && waiting.get(user) === own) waiting.delete(user);
          reject(
            new SedimentError("aborted", "Was told to stop while waiting", {
              cause: signal!.reason,
            }),
          );
        };
        own.push(waiter);
        if (signal?.aborted) leave();
        else signal?.addEventListener("abort", leave, { once: true });
      });
    },
  };
}

function tooMany(count: number): SedimentError {
  return new SedimentError("rate_limited", `${count} calls of the user wait already`, {
    expected: "fewer requests at once",
    retryAfterSeconds: 1,
    extra: { limit: "requests_at_once" },
  });
}
