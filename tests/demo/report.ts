/** What the demo says at its end. */

/** The figures of one demo run; the names are those of the `--json` line. */
export interface Summary {
  fragments: number;
  refused: number;
  rows_sent: number;
  rows_read: number;
  equal: boolean;
  /** Tables left out of the comparison: DuckDB can't read what was sent, and it was merged. */
  not_compared: number;
  files_before: number;
  files_after: number;
  row_groups_before: number;
  row_groups_after: number;
  bytes_before: number;
  bytes_after: number;
  scan_ms_before: number;
  scan_ms_after: number;
  /** Rows of all tables as DuckDB counts them in the lake; null where it could not attach. */
  rows_in_lake: number | null;
  seconds: { start: number; upload: number; compact: number };
}

/** Prints before and after side by side, to standard error. */
export function printTable(summary: Summary, over: "httpfs" | "fetch"): void {
  const line = (name: string, before: string | number, after: string | number) =>
    console.error(
      `  ${name.padEnd(12)} ${String(before).padStart(12)} ${String(after).padStart(12)}`,
    );
  const { seconds } = summary;
  console.error("");
  line("", "before", "after");
  line("files", summary.files_before, summary.files_after);
  line("row groups", summary.row_groups_before, summary.row_groups_after);
  line("bytes", summary.bytes_before, summary.bytes_after);
  line("scan, ms", summary.scan_ms_before, summary.scan_ms_after);
  line("rows", summary.rows_sent, summary.rows_read);
  const how = over === "httpfs"
    ? "DuckDB read the signed URLs as they are (httpfs)"
    : "the signed URLs were fetched for DuckDB (its httpfs extension cannot be downloaded here)";
  console.error(`
  ${summary.equal ? "equal: the rows read are the rows sent" : "NOT EQUAL: see above"}
  ${how}
  start ${seconds.start} s, upload ${seconds.upload} s, compact ${seconds.compact} s
`);
}

/** Prints what to paste into DuckDB to read the tables, to standard error. */
export function printAttach(
  statements: string[],
  { rows_in_lake, rows_read }: Summary,
  stays: boolean,
): void {
  const lone = rows_in_lake !== null && rows_in_lake < rows_read
    ? " (a file without company is merged, and comes, when it is an hour old)"
    : "";
  console.error(
    `  ${
      rows_in_lake === null
        ? "DuckDB's own extensions cannot be loaded here. Where they can, this attaches to the tables:"
        : `attached: DuckDB counts ${rows_in_lake} rows in the lake${lone}. To see for yourself, paste into DuckDB 1.5:`
    }

${statements.join("\n")}

  ${
      stays
        ? "The stack stays up until Ctrl-C."
        : "The stack ends with the demo; `deno task demo --keep` leaves it up for these lines."
    }
`,
  );
}
