/** Markdown as the generated pages need it. */

/** A table; `|` inside of cells is escaped. */
export function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}

/** A code span, or nothing. */
export function code(text: string | undefined): string {
  return text === undefined || text === "" ? "" : `\`${text}\``;
}

/** A value of bytes, counts or words as a reader takes it in. */
export function shown(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "number" && value >= 1024 ** 2 && value % 1024 ** 2 === 0) {
    return `\`${value}\` (${value / 1024 ** 2} MiB)`;
  }
  return code(typeof value === "string" ? value : JSON.stringify(value));
}
