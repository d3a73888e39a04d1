/**
 * What one user's requests may cost the others of an isolate: what they take is put on the user's account, and while there
 * are others, who has much on it waits before the next request is looked at. Alone, nobody waits.
 */
import { type Clock, systemClock } from "./clock.ts";
import { SedimentError } from "./errors.ts";

/** How much is whose. */
export interface WorkSharesOptions {
  /** Ms of work that are free at once. @default 100 */
  freeMs?: number;
  /** Ms of the account that a ms of time pays off. @default 0.1 */
  share?: number;
  /** Pieces of work of one user at once. @default 2 */
  perUser?: number;
  /** Ms that a request costs before more is known of it. @default 2 */
  requestMs?: number;
  /** The longest wait, ms; what would wait longer is refused. @default 5000 */
  longestWaitMs?: number;
  /** Ms since the last request after which somebody is no longer there. @default 1000 */
  presentMs?: number;
  /** Requests of one user that wait. @default 100 */
  waiting?: number;
  clock?: Pick<Clock, "monotonic" | "sleep">;
}

/** A piece of work that has begun; disposing ends it. */
export interface Work extends Disposable {
  /** Puts what it takes on the user's account, ms. */
  cost(ms: number): void;
}

/** The accounts of an isolate. */
export interface WorkShares {
  /** Tells of a request that costs nothing worth an account, so that its user counts as there. */
  come(user: string): void;
  /** Whether others than this user are there. */
  hasOthers(user: string): boolean;
  /**
   * Waits until the user's account has room for a request. Asked before a body is read.
   *
   * @param bodyMs what reading it takes beside requestMs
   * @throws SedimentError `rate_limited` with the seconds until there is room, `aborted`
   */
  admit(user: string, signal?: AbortSignal, bodyMs?: number): Promise<void>;
  /**
   * Told of each piece of what the user's requests do by the byte, such as reading a body. While others are there, all of
   * them together take no more than the user's share of the time: a promise where the next piece is to wait.
   *
   * @param ms what the piece takes
   */
  pace(user: string, ms: number): Promise<void> | undefined;
  /**
   * Waits until so few of the user's pieces of work are on their way that another may begin, and until the account has room
   * for it: what those before it cost was not known at the door.
   *
   * @throws SedimentError as {@link WorkShares.admit}
   */
  begin(user: string, signal?: AbortSignal): Promise<Work>;
}

interface Account {
  owedMs: number;
  /** When that was so. */
  at: number;
  /** Who came last in the line for room; it never fails. */
  line: Promise<void>;
  inLine: number;
  working: number;
  /** Pieces of work that wait for an end of another. */
  waiting: (() => void)[];
  /** When the next piece of what is paced may begin. */
  pacedUntil: number;
}

/** Users that are looked through for those of whom nothing needs to be known. */
const mostUsers = 1_000;

/** How long a refusal waits, so that asking again at once is no use, and how many do at once. */
const refusalMs = 1_000, mostRefusals = 1_000;

/** What is read at once of an ordinary body, some 200 KB, ms. */
const freePieceMs = 1;

/** While there is no room it is looked at least so often whether the others are gone, ms. */
const lookMs = 250;

/** Nobody owes anything yet. */
export function createWorkShares(options: WorkSharesOptions = {}): WorkShares {
  const { freeMs = 100, share = 0.1, perUser = 2, requestMs = 2, longestWaitMs = 5_000 } = options;
  const { presentMs = 1_000, waiting: mostWaiting = 100, clock = systemClock } = options;
  const accounts = new Map<string, Account>();
  /** Who came last, and who before that was another. */
  let last = { user: "", at: -Infinity }, other = last;
  let refusals = 0;

  function come(user: string): void {
    if (user !== last.user) other = last;
    last = { user, at: clock.monotonic() };
  }

  function hasOthers(user: string): boolean {
    const { at } = user === last.user ? other : last;
    return clock.monotonic() - at <= presentMs;
  }

  function accountOf(user: string): Account {
    let account = accounts.get(user);
    if (account !== undefined) return account;
    if (accounts.size >= mostUsers) forgetSettled();
    account = {
      owedMs: 0,
      at: clock.monotonic(),
      line: Promise.resolve(),
      inLine: 0,
      working: 0,
      waiting: [],
      pacedUntil: -Infinity,
    };
    accounts.set(user, account);
    return account;
  }

  function forgetSettled(): void {
    for (const [user, account] of accounts) {
      const busy = account.working > 0 || account.inLine > 0 ||
        account.pacedUntil > clock.monotonic();
      if (!busy && owed(account) === 0) accounts.delete(user);
    }
  }

  function owed(account: Account): number {
    const now = clock.monotonic();
    account.owedMs = Math.max(0, account.owedMs - (now - account.at) * share);
    account.at = now;
    return account.owedMs;
  }

  /** Ms until the account has room, should nothing come to it. */
  const waitOf = (account: Account) => (owed(account) - freeMs) / share;

  async function refuse(waitMs: number): Promise<never> {
    if (refusals < mostRefusals) {
      refusals++;
      await clock.sleep(refusalMs);
      refusals--;
    }
    throw new SedimentError("rate_limited", "the user's uploads take more than their share", {
      expected: "uploads that others have room beside",
      retryAfterSeconds: Math.max(1, Math.ceil((waitMs - refusalMs) / 1000)),
      extra: { limit: "work_share" },
    });
  }

  async function untilRoom(user: string, account: Account, signal?: AbortSignal): Promise<void> {
    while (hasOthers(user)) {
      if (signal?.aborted) {
        const cause = signal.reason;
        throw new SedimentError("aborted", "Was told to stop while waiting", { cause });
      }
      const waitMs = waitOf(account);
      if (waitMs <= 0) break;
      if (waitMs > longestWaitMs) await refuse(waitMs);
      await clock.sleep(Math.min(Math.max(1, waitMs), lookMs), signal);
    }
  }

  async function untilPaced(user: string, until: number): Promise<void> {
    while (hasOthers(user)) {
      const waitMs = until - clock.monotonic();
      if (waitMs <= 0) return;
      await clock.sleep(Math.min(waitMs, lookMs));
    }
  }

  return {
    come,
    hasOthers,
    async admit(user, signal, bodyMs = 0) {
      come(user);
      if (!hasOthers(user)) return;
      const account = accountOf(user);
      const waitMs = Math.max(0, waitOf(account)) + account.inLine * requestMs / share;
      if (waitMs > longestWaitMs || account.inLine >= mostWaiting) await refuse(waitMs);
      account.inLine++;
      const turn = account.line.then(() => untilRoom(user, account, signal)).then(() => {
        account.owedMs += requestMs + bodyMs;
      });
      account.line = turn.catch(() => {});
      try {
        await turn;
      } finally {
        account.inLine--;
      }
    },
    pace(user, ms) {
      if (!hasOthers(user)) return undefined;
      const account = accountOf(user), now = clock.monotonic();
      account.pacedUntil = Math.max(now, account.pacedUntil) + ms / share;
      const until = account.pacedUntil - freePieceMs / share;
      return until <= now ? undefined : untilPaced(user, until);
    },
    async begin(user, signal) {
      come(user);
      const account = accountOf(user);
      if (account.working < perUser || !hasOthers(user)) account.working++;
      else await new Promise<void>((go) => account.waiting.push(go)); // it is given the place of one that ends
      let over = false;
      const work: Work = {
        cost(ms) {
          if (!hasOthers(user)) return;
          account.owedMs = owed(account) + ms;
        },
        [Symbol.dispose]() {
          if (over) return;
          over = true;
          const next = account.waiting.shift();
          if (next === undefined) account.working--;
          else next();
        },
      };
      try {
        await untilRoom(user, account, signal);
      } catch (thrown) {
        work[Symbol.dispose]();
        throw thrown;
      }
      return work;
    },
  };
}
