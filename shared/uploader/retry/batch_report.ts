/** What a trigger of the retry service came to. */
import type { Reason } from "../reason.ts";

/** What starts a batch. */
export type Trigger = "startup" | "session" | "interval" | "online" | "manual";

/** What a trigger came to. */
export interface BatchReport {
  trigger: Trigger;
  /** Set when no batch was run. */
  skipped?: "busy" | "parked" | "paused" | "stopped";
  attempted: number;
  stored: number;
  failed: number;
  dead: number;
  expired: number;
  duplicates: number;
  /** Not tried: their time has not come, or the batch ended before. */
  deferred: number;
  /** Waiting, parked or under way when the batch began. */
  pending: number;
  /** What stopped the service itself. */
  error?: Reason;
}

/** A report of nothing, yet. */
export function emptyReport(trigger: Trigger): BatchReport {
  return {
    trigger,
    attempted: 0,
    stored: 0,
    failed: 0,
    dead: 0,
    expired: 0,
    duplicates: 0,
    deferred: 0,
    pending: 0,
  };
}
