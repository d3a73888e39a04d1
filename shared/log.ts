/** The log of what was done: one JSON line a stage, a commit and a step of a run. Errors have lines of their own. */

/** What happened. */
export type LoggedEvent =
  | "upload_staged"
  | "upload_committed"
  | "asset_staged"
  | "asset_committed"
  | "run_step";

/** A line: ids, names, sizes and times. Never a token, a URL or a hash that opens something. */
export interface LogLine {
  event: LoggedEvent;
  [field: string]: string | number | boolean | null | undefined;
}

/** Takes a line. */
export type Log = (line: LogLine) => void;

/** Writes lines to standard output, where Supabase's log explorer reads them. */
const logToConsole: Log = (line) => console.info(JSON.stringify({ level: "info", ...line }));

/** The log of a level: with `error` nothing is told of what went well. */
export function logOf(level: "info" | "error"): Log {
  return level === "info" ? logToConsole : () => {};
}
