/** Numbers, times and states as people read them. */

const numbers = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const times = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });

/** A whole number, grouped; from a million on about. */
export const countText = (n: number): string =>
  n < 1_000_000 ? numbers.format(n) : compact.format(n);

/** Bytes in binary units. */
export function bytesText(bytes: number): string {
  let value = bytes, unit = "B";
  for (const next of ["KiB", "MiB", "GiB", "TiB"]) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  return `${unit === "B" ? value : value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
}

/** A stretch of time, in the two units that matter. */
export function spanText(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) {
    const minutes = Math.floor(seconds % 3600 / 60);
    return `${Math.floor(seconds / 3600)} h${minutes > 0 ? ` ${minutes} min` : ""}`;
  }
  return `${Math.floor(seconds / 86_400)} d`;
}

/** How long ago, or in how long. */
export function agoText(time: string | null | undefined, now = Date.now()): string {
  if (!time) return "–";
  const seconds = (now - Date.parse(time)) / 1000;
  if (Math.abs(seconds) < 5) return "now";
  const span = spanText(Math.abs(seconds) < 60 ? Math.round(Math.abs(seconds)) : Math.abs(seconds));
  return (seconds > 0 ? `${span} ago` : `in ${span}`).replace(".0", "");
}

/** The moment, in full. */
export const timeText = (time: string | null | undefined): string =>
  time ? times.format(new Date(time)) : "";

/** "1 file", "2 files". */
export const several = (n: number, one: string, many = `${one}s`): string =>
  `${countText(n)} ${n === 1 ? one : many}`;

/** A dataset's name, or the beginning of its id. */
export const datasetText = (name: string | undefined, id: string): string => name || id.slice(0, 8);

/** A state's word and how it is to be seen. */
export const states: Record<string, [word: string, tone: "ok" | "busy" | "wait" | "bad" | "calm"]> =
  {
    running: ["running", "busy"],
    queued: ["queued", "wait"],
    waiting: ["waits to try again", "wait"],
    expired: ["worker lost", "bad"],
    dead: ["stuck", "bad"],
    scheduled: ["waits for company", "calm"],
    idle: ["settled", "ok"],
    success: ["done", "ok"],
    failure: ["failed", "bad"],
    dlq_failure: ["given up", "bad"],
    timeout: ["timed out", "bad"],
    error: ["failed", "bad"],
  };

/** What asked for a run. */
export const triggers: Record<string, string> = {
  upload: "an upload",
  request: "somebody",
  message: "a message",
  sweep: "the clockwork",
  schedule: "the nightly run",
  redrive: "a redrive",
  follow_up: "the run before",
};
