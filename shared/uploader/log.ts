/** Structured logs: one event name for each thing that happens, nothing in prose. */

/** What can be logged. */
export type LogName =
  | "saved"
  | "skipped_duplicate"
  | "started"
  | "retried"
  | "succeeded"
  | "parked"
  | "resumed"
  | "paused"
  | "failed"
  | "expired"
  | "dead"
  | "busy"
  | "requeued"
  | "dropped"
  | "full"
  | "recovered"
  | "unreadable"
  | "foreign"
  | "skipped_newer"
  | "skipped_user"
  | "trigger_failed"
  | "batch_ended"
  | "job_started"
  | "job_ended"
  | "job_failed"
  | "job_timed_out"
  | "job_busy";

/** Severity. What waits is `info`, what needs a person is `error`. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** One log line. */
export interface LogEvent {
  event: LogName;
  level: LogLevel;
  /** ISO 8601. */
  time: string;
  /** The pending item, where it is about one. */
  id?: string;
  [fact: string]: unknown;
}

/** Takes log events. Must not throw; what it throws is ignored. */
export type Log = (event: LogEvent) => void;

const levels: Record<LogName, LogLevel> = {
  saved: "info",
  skipped_duplicate: "info",
  started: "info",
  retried: "info",
  succeeded: "info",
  parked: "warn",
  resumed: "info",
  paused: "warn",
  failed: "warn",
  expired: "error",
  dead: "error",
  busy: "debug",
  requeued: "info",
  dropped: "error",
  full: "error",
  recovered: "warn",
  unreadable: "error",
  foreign: "debug",
  skipped_newer: "warn",
  skipped_user: "info",
  trigger_failed: "error",
  batch_ended: "info",
  job_started: "info",
  job_ended: "info",
  job_failed: "error",
  job_timed_out: "error",
  job_busy: "warn",
};

/** A function that logs by name, with the level of that name. */
export type Say = (event: LogName, facts?: Record<string, unknown>) => void;

/** Binds a log to a clock. A log that throws can't stop an upload. */
export function createSay(log: Log, now: () => number): Say {
  return (event, facts = {}) => {
    try {
      log({ event, level: levels[event], time: new Date(now()).toISOString(), ...facts });
    } catch { /* the log's own trouble */ }
  };
}

/** A log that writes JSON lines of at least `least` through `write`. */
export function jsonLog(write: (line: string) => void, least: LogLevel = "info"): Log {
  const order: LogLevel[] = ["debug", "info", "warn", "error"];
  return (event) => {
    if (order.indexOf(event.level) >= order.indexOf(least)) write(JSON.stringify(event));
  };
}

/** A log that takes nothing down. */
export const silentLog: Log = () => {};
