/**
 * A guard for scheduled jobs (the app's integration run): one at a time among all processes, with a time
 * limit, and released in every case: done, thrown, rejected, timed out, never begun.
 */
import { Cron } from "croner";
import { asSedimentError, SedimentError } from "../errors.ts";
import { type Clock, deadline, systemClock } from "../clock.ts";
import { createSay, type Log, silentLog } from "./log.ts";
import type { PendingMedium } from "./pending/pending_medium.ts";
import type { Reason } from "./reason.ts";

/** A job. It should end when the signal fires; the guard doesn't wait for it if it does not. */
export type Job = (signal: AbortSignal) => unknown;

/** Options of {@link integrate}. */
export interface IntegrateOptions {
  /** Cron pattern of five fields, or of six with seconds first. */
  cron: string;
  /** Milliseconds after which the job is told to stop and the guard is released. @default one hour */
  timeout?: number;
  /** Where the lock is kept: all processes with the same medium and name share one guard. */
  medium: Pick<PendingMedium, "lock">;
  /** Letters, digits, `_` and `-`. @default "integrate" */
  name?: string;
  /** IANA time zone of the pattern. @default the machine's */
  timezone?: string;
  log?: Log;
  /** @default the machine's clock */
  clock?: Clock;
}

/** How a run of the job ended. */
export type JobOutcome =
  | { status: "done"; value: unknown }
  | { status: "failed"; error: Reason }
  | { status: "timed_out" }
  /** Another run, here or in another process, was under way: this one was left out. */
  | { status: "busy" }
  | { status: "stopped" };

/** A scheduled job. */
export interface Integration {
  /** Runs the job now, under the guard. Never throws. */
  runNow(): Promise<JobOutcome>;
  /** How the last run ended; null before the first. */
  last(): JobOutcome | null;
  /** When the schedule runs it next; null when it never will. */
  nextRun(): Date | null;
  /** Ends the schedule; a job under way is told to stop. */
  stop(): void;
}

/** @throws `invalid_config` when the pattern, the name or the timeout is not valid */
export function integrate(job: Job, options: IntegrateOptions): Integration {
  const { medium, timeout = 3_600_000, name = "integrate", clock = systemClock } = options;
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(name)) {
    throw new SedimentError("invalid_config", `the job's name is ${JSON.stringify(name)}`, {
      field: "name",
      expected: "letters, digits, _ and -, up to 64",
    });
  }
  if (!(timeout > 0)) {
    throw new SedimentError("invalid_config", `the job's timeout is ${timeout}`, {
      field: "timeout",
      expected: "milliseconds, more than 0",
    });
  }
  const say = createSay(options.log ?? silentLog, () => clock.now());
  const stopped = new AbortController();
  let last: JobOutcome | null = null;

  async function runNow(): Promise<JobOutcome> {
    if (stopped.signal.aborted) return { status: "stopped" };
    let lock;
    try {
      lock = await medium.lock(`job-${name}`, { wait: false });
    } catch (thrown) {
      const error = reasonOf(thrown);
      say("job_failed", { job: name, ...error });
      return last = { status: "failed", error };
    }
    if (!lock) {
      say("job_busy", { job: name });
      return { status: "busy" }; // `last` stays: the run that is under way will set it
    }
    const limit = deadline(clock, timeout, stopped.signal);
    try {
      if (stopped.signal.aborted) return { status: "stopped" }; // while it waited for the lock
      say("job_started", { job: name });
      return last = await outcomeOf(limit);
    } finally {
      limit.done();
      await lock.release().catch((thrown) => say("job_failed", { job: name, ...reasonOf(thrown) }));
    }
  }

  async function outcomeOf(limit: ReturnType<typeof deadline>): Promise<JobOutcome> {
    const cut = new Promise<"cut">((resolve) => {
      if (limit.signal.aborted) resolve("cut");
      limit.signal.addEventListener("abort", () => resolve("cut"), { once: true });
    });
    try {
      // The job may throw before it gives a promise.
      const running = (async () => ({ value: await job(limit.signal) }))();
      running.catch(() => {}); // it may reject long after the guard was released
      const first = await Promise.race([running, cut]);
      if (first !== "cut") {
        say("job_ended", { job: name });
        return { status: "done", value: first.value };
      }
    } catch (thrown) {
      if (!limit.signal.aborted) {
        const error = reasonOf(thrown);
        say("job_failed", { job: name, ...error });
        return { status: "failed", error };
      }
    }
    if (!limit.timedOut()) return { status: "stopped" };
    say("job_timed_out", { job: name, timeout_ms: timeout });
    return { status: "timed_out" };
  }

  let cron: Cron;
  try {
    const { timezone } = options;
    cron = new Cron(options.cron, { timezone, catch: true }, () => void runNow());
  } catch (error) {
    const what = `the pattern ${JSON.stringify(options.cron)}: ${(error as Error).message}`;
    throw new SedimentError("invalid_config", what, {
      field: "cron",
      expected: "five fields (minute hour day month weekday), or six with seconds first",
      cause: error,
    });
  }
  return {
    runNow,
    last: () => last,
    nextRun: () => cron.nextRun(),
    stop() {
      cron.stop();
      stopped.abort(new DOMException("the schedule was stopped", "AbortError"));
    },
  };
}

function reasonOf(thrown: unknown): Reason {
  const { code, message } = asSedimentError(thrown);
  return { code, message };
}
