/** What a person must be told of the pending folder, also without --verbose: nothing is dropped in silence. */
import type { LogEvent } from "../log.ts";

type Text = (event: LogEvent) => string | null;

const texts: Partial<Record<LogEvent["event"], Text>> = {
  dropped: ({ why, was, table, period_tag, key, id }) =>
    why === "quota"
      ? `dropped ${key ?? `${table}/${period_tag}`} (${id?.slice(0, 8)}, ${was}) to make room: ` +
        `pending.when_full is "drop_oldest"`
      : null,
  unreadable: ({ id, message }) => `${id?.slice(0, 8)} can't be read and is left alone: ${message}`,
  skipped_newer: ({ id, version }) =>
    `${id?.slice(0, 8)} is of a newer version (${version}) and is left alone`,
  full: ({ message }) => `the disk or the quota is full: ${message}`,
};

/** A log that says such events in words, each once. */
export function plainWarnings(say: (line: string) => void): (event: LogEvent) => void {
  const said = new Set<string>();
  return (event) => {
    const line = texts[event.event]?.(event);
    if (!line || said.has(line)) return;
    said.add(line);
    say(line);
  };
}
