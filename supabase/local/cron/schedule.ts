import { Cron } from "croner";

/** When a job runs next. */
export interface Schedule {
  /**
   * @param lastStart start of its last run, or the moment at which the schedule began to count (ms)
   * @returns the next start (ms), or undefined when it never runs again
   */
  next(lastStart: number): number | undefined;
}

/**
 * Reads a pg_cron schedule: `N seconds`, five fields in UTC (`$`: last day of the month), or an @nickname.
 *
 * @throws Error when croner can't read it
 */
export function readSchedule(text: string): Schedule {
  const seconds = text.match(/^\s*(\d+)\s+seconds?\s*$/i);
  if (seconds) return everySeconds(Number(seconds[1]));
  const cron = new Cron(text.trim().replaceAll("$", "L"), { timezone: "UTC", paused: true });
  return { next: (lastStart) => cron.nextRun(new Date(lastStart))?.getTime() };
}

/** A schedule of a fixed distance between starts; fractions are for tests. */
export function everySeconds(seconds: number): Schedule {
  return { next: (lastStart) => lastStart + seconds * 1000 };
}
