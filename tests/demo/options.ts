/** The demo's command line. */
import { parseArgs } from "node:util";

/** What the demo was asked to do. */
export interface DemoOptions {
  /** Folder whose Parquet files are sent instead of generated fragments. */
  input?: string;
  /** How many fragments to make. */
  fragments: number;
  /** Rows a fragment. */
  rows: number;
  /** A running Supabase to use instead of an embedded one of the demo's own. */
  url?: string;
  /** That Supabase's publishable key. */
  key?: string;
  /** How often each file is sent: copies hold the same rows in other bytes, so that there is something to merge. */
  copies: number;
  /** Whether the stack stays up, to be attached to, until a signal ends the demo. */
  keep: boolean;
  /** One last line of JSON instead of the table. */
  json: boolean;
}

const help =
  `Uploads many small Parquet files over HTTP, waits until they are compacted, and lets DuckDB
compare the rows that come back with the rows that were sent.

  deno task demo [--fragments N] [--rows N] [--keep] [--json]
  deno task demo --input DIR            every *.parquet below DIR, a table for each file
  deno task demo --url URL --key KEY    against a running Supabase (key: the publishable one)

  --fragments N   fragments to make, 1 to 100000 (default 200)
  --rows N        rows in each, 1 to 1000000 (default 500)
  --input DIR     send these files instead
  --copies N      send each file of --input N times, 1 to 100 (default 1); a copy holds the same rows
                  but is another file, so that a table of one file has something to merge
  --keep          leave the stack up when all is done, for the lines that the demo prints; Ctrl-C ends it
  --json          print one last line of JSON; exit code 1 unless the rows are equal
`;

/**
 * Reads the command line; prints help or what is wrong with it and ends the process where it must.
 *
 * @returns options with every number checked
 */
export function readOptions(args: string[]): DemoOptions {
  try {
    const { values } = parseArgs({
      args,
      options: {
        input: { type: "string" },
        fragments: { type: "string" },
        rows: { type: "string" },
        copies: { type: "string", default: "1" },
        url: { type: "string" },
        key: { type: "string" },
        keep: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      console.log(help);
      Deno.exit(0);
    }
    if (values.input !== undefined && (values.fragments ?? values.rows) !== undefined) {
      throw new Error("--input sends files as they are: --fragments and --rows don't go with it");
    }
    if (Boolean(values.url) !== Boolean(values.key)) throw new Error("--url and --key go together");
    if (values.keep && values.url !== undefined) {
      throw new Error("--keep is for a stack of the demo's own: one at --url is left as it is");
    }
    return {
      keep: values.keep,
      input: values.input,
      url: values.url?.replace(/\/$/, ""),
      key: values.key,
      json: values.json,
      fragments: whole("--fragments", values.fragments ?? "200", 100_000),
      rows: whole("--rows", values.rows ?? "500", 1_000_000),
      copies: whole("--copies", values.copies, 100),
    };
  } catch (error) {
    console.error(`demo: ${(error as Error).message}\n\n${help}`);
    Deno.exit(2);
  }
}

function whole(name: string, text: string, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > most) {
    throw new Error(`${name} takes a whole number from 1 to ${most}, not "${text}"`);
  }
  return value;
}
