/** What goes to the terminal: colours only where one looks, bars only where they can move. */
import process from "node:process";

const colours = { red: 31, green: 32, yellow: 33, blue: 34, dim: 2, bold: 1 } as const;

/** The terminal, or what stands in its place. */
export interface Terminal {
  /** A line for standard output: what the command is for. */
  out(line: string): void;
  /** A line for standard error: what is said on the way. */
  say(line: string): void;
  paint(text: string, colour: keyof typeof colours): string;
  /** A bar on a terminal, a plain line at each quarter elsewhere. */
  bar(label: string, total: number): Bar;
}

/** Progress. */
export interface Bar {
  set(done: number, note?: string): void;
  end(outcome: string): void;
}

/** The process's terminal. NO_COLOR (any value) switches colours off, as no-color.org has it. */
export function createTerminal(json: boolean): Terminal {
  const { stdout, stderr, env } = process;
  const colourful = Boolean(stdout.isTTY) && !env.NO_COLOR && env.TERM !== "dumb";
  const moves = Boolean(stderr.isTTY) && env.TERM !== "dumb" && !json;
  const quiet = json;
  let open = ""; // the bar that stands on the last line

  const say = (line: string) => {
    if (open) stderr.write("\r\x1b[2K");
    stderr.write(`${line}\n`);
    if (open) stderr.write(open);
  };
  return {
    out: (line) => void stdout.write(`${line}\n`),
    say,
    paint: (text, colour) => colourful ? `\x1b[${colours[colour]}m${text}\x1b[0m` : text,
    bar(label, total) {
      let shown = -1;
      const width = 24;
      return {
        set(done, note = "") {
          if (quiet) return;
          const share = total === 0 ? 1 : Math.min(1, done / total);
          if (!moves) {
            const quarter = Math.floor(share * 4);
            if (quarter > shown && total > 1) stderr.write(`${label} ${done}/${total} ${note}\n`);
            shown = Math.max(shown, quarter);
            return;
          }
          const filled = Math.round(share * width);
          const columns = stderr.columns || 80;
          const text = `${label} ${"█".repeat(filled)}${
            "░".repeat(width - filled)
          } ${done}/${total} ${note}`;
          open = text.slice(0, columns - 1);
          stderr.write(`\r\x1b[2K${open}`);
        },
        end(outcome) {
          if (quiet) return;
          if (open) stderr.write("\r\x1b[2K");
          open = "";
          stderr.write(`${outcome}\n`);
        },
      };
    },
  };
}

/** Rows as columns; numbers to the right. */
export function table(head: string[], rows: (string | number)[][]): string[] {
  const widths = head.map((title, i) =>
    rows.reduce((most, row) => Math.max(most, String(row[i]).length), title.length)
  );
  const line = (cells: (string | number)[]) =>
    cells.map((cell, i) =>
      typeof cell === "number" ? String(cell).padStart(widths[i]) : cell.padEnd(widths[i])
    ).join("  ").trimEnd();
  return [line(head), ...rows.map(line)];
}

/** Bytes for people. */
export function bytes(count: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  for (; count >= 1000 && unit < units.length - 1; unit++) count /= 1000;
  return `${count >= 100 || unit === 0 ? Math.round(count) : count.toFixed(1)} ${units[unit]}`;
}

/** How far off an instant is, for people. */
export function fromNow(instant: string, now = Date.now()): string {
  const seconds = Math.round((Date.parse(instant) - now) / 1000);
  const size = Math.abs(seconds);
  const text = size < 90
    ? `${size} s`
    : size < 5400
    ? `${Math.round(size / 60)} min`
    : size < 172_800
    ? `${Math.round(size / 3600)} h`
    : `${Math.round(size / 86_400)} d`;
  return seconds <= 0 ? `${text} ago` : `in ${text}`;
}
