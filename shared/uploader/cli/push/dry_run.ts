/** `sediment push --dry-run`: what would be sent, and where to. Nothing is read, saved or asked. */
import { bytes, table, type Terminal } from "../terminal.ts";
import type { Found } from "./find_files.ts";

/** Says it. @returns the exit code: 1 when something would be passed over */
export function dryRun({ files, passedOver }: Found, json: boolean, terminal: Terminal): number {
  const total = files.reduce((sum, file) => sum + file.size, 0);
  if (json) {
    for (const { path, table, period, format, size } of files) {
      terminal.out(JSON.stringify({ path, status: "would_send", table, period, format, size }));
    }
    for (const { path, why } of passedOver) {
      terminal.out(
        JSON.stringify({ path, status: "passed_over", code: "passed_over", message: why }),
      );
    }
    const summary = {
      input: files.length + passedOver.length,
      would_send: files.length,
      passed_over: passedOver.length,
      bytes: total,
      dry_run: true,
    };
    terminal.out(JSON.stringify({ summary }));
  } else {
    const rows = files.map((file) => [file.path, file.table, file.period, bytes(file.size)]);
    if (rows.length > 0) {
      for (const line of table(["file", "table", "period", "size"], rows)) terminal.out(line);
    }
    for (const { path, why } of passedOver) terminal.out(`passed over ${path}  ${why}`);
    const tables = new Set(files.map((file) => file.table)).size;
    terminal.say(
      `dry run: ${files.length} files, ${bytes(total)}, ${tables} tables; ` +
        `passed over ${passedOver.length}; nothing was sent`,
    );
  }
  return passedOver.length > 0 ? 1 : 0;
}
