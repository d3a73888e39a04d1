/** What was sent against what comes back, table by table, by DuckDB. */
import { type DuckDBConnection } from "@duckdb/node-api";
import { join } from "node:path";
import {
  literal,
  multisetDifference,
  openDuckdb,
  openUrls,
  readParquet,
  rows,
  scalar,
} from "../support/duckdb.ts";
import type { Fragment } from "../support/fragments.ts";
import type { ManifestFile } from "./client.ts";

/** Files by table. */
export type FilesByTable = Map<string, string[]>;

/** The outcome over all tables. */
export interface Comparison {
  equal: boolean;
  rowsSent: number;
  rowsRead: number;
  /** A sentence for each table that differs. */
  differences: string[];
  /** Tables of which DuckDB can't read even what was sent: their bytes were compared instead … */
  byBytes: string[];
  /** … and where they were merged, so that bytes say nothing, they could not be compared at all. */
  notCompared: string[];
  /** Local paths of what was read back (or URLs where httpfs is there). */
  read: FilesByTable;
  /** How the signed URLs were read. */
  over: "httpfs" | "fetch";
}

/** The paths of the fragments, by table. */
export function byTable(fragments: Fragment[]): FilesByTable {
  const files: FilesByTable = new Map();
  for (const { table, path } of fragments) files.set(table, [...files.get(table) ?? [], path]);
  return files;
}

/**
 * Reads every table back through the signed URLs and compares its rows as a multiset.
 *
 * @param added by table, the columns that merges give it beside those that were sent
 */
export async function compareTables(
  sent: FilesByTable,
  manifest: ManifestFile[],
  folder: string,
  added: Map<string, string[]> = new Map(),
): Promise<Comparison> {
  const outcome: Comparison = {
    equal: true,
    rowsSent: 0,
    rowsRead: 0,
    differences: [],
    byBytes: [],
    notCompared: [],
    read: new Map(),
    over: "fetch",
  };
  const duckdb = await openDuckdb();
  for (const [table, sentPaths] of sent) {
    const place = join(folder, table);
    await Deno.mkdir(place);
    const urls = manifest.filter((file) => file.table === table).map((file) => file.url);
    const opened = await openUrls(duckdb, urls, place);
    outcome.over = opened.over;
    if (opened.paths.length === 0) {
      outcome.differences.push(`${table}: the manifest names no file of it`);
      continue;
    }
    outcome.read.set(table, opened.paths);
    if (!await readable(duckdb, sentPaths)) {
      const merged = manifest.some((file) => file.table === table && file.level > 0);
      if (merged) outcome.notCompared.push(table);
      else outcome.byBytes.push(table);
      if (!merged && !await sameBytes(sentPaths, urls)) {
        outcome.differences.push(`${table}: other bytes`);
      }
      continue;
    }
    const left = readParquet(sentPaths);
    const right = await without(duckdb, readParquet(opened.paths), added.get(table));
    outcome.rowsSent += await scalar(duckdb, `select count(*) from ${left}`);
    outcome.rowsRead += await scalar(duckdb, `select count(*) from ${right}`);
    const { onlyLeft, onlyRight } = await multisetDifference(duckdb, left, right);
    if (onlyLeft + onlyRight > 0) {
      outcome.differences.push(`${table}: ${onlyLeft} rows only sent, ${onlyRight} rows only read`);
    }
  }
  outcome.equal = outcome.differences.length === 0;
  duckdb.closeSync();
  return outcome;
}

/**
 * Counts row groups and bytes of a set of files and times a full scan of them by DuckDB (every value of
 * every row is hashed; one thread; median of three). Tables that DuckDB can't read are not timed.
 */
export async function measure(files: FilesByTable) {
  const duckdb = await openDuckdb(1);
  let rowGroups = 0;
  let bytes = 0;
  const scans: string[] = [];
  for (const paths of files.values()) {
    if (!await readable(duckdb, paths)) continue;
    for (let at = 0; at < paths.length; at += 500) {
      const list = `[${paths.slice(at, at + 500).map(literal).join(", ")}]`;
      const groups = `select distinct file_name, row_group_id from parquet_metadata(${list})`;
      rowGroups += await scalar(duckdb, `select count(*) from (${groups})`);
      bytes += await scalar(duckdb, `select coalesce(sum(size), 0) from read_blob(${list})`);
    }
    scans.push(`select bit_xor(hash(t)) from ${readParquet(paths)} t`);
  }
  const times: number[] = [];
  for (let run = 0; run < 3; run++) {
    const started = performance.now();
    for (const scan of scans) await duckdb.run(scan);
    times.push(performance.now() - started);
  }
  duckdb.closeSync();
  return { bytes, rowGroups, scanMs: Math.round(times.sort((a, b) => a - b)[1]) };
}

/** A relation without those of the columns that it has. */
async function without(
  duckdb: DuckDBConnection,
  relation: string,
  columns: string[] = [],
): Promise<string> {
  const there = new Set(
    (await rows(duckdb, `describe select * from ${relation}`)).map(({ column_name }) =>
      column_name
    ),
  );
  const left = columns.filter((name) => there.has(name));
  return left.length === 0 ? relation : `(select * exclude (${left.join(", ")}) from ${relation})`;
}

async function readable(duckdb: DuckDBConnection, paths: string[]): Promise<boolean> {
  try {
    await duckdb.run(`select * from ${readParquet(paths)}`);
    return true;
  } catch {
    return false;
  }
}

async function sameBytes(paths: string[], urls: string[]): Promise<boolean> {
  const digest = async (bytes: Uint8Array<ArrayBuffer>) =>
    new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toString();
  const left = await Promise.all(paths.map(async (path) => digest(await Deno.readFile(path))));
  const right = await Promise.all(
    urls.map(async (url) => digest(new Uint8Array(await (await fetch(url)).arrayBuffer()))),
  );
  return left.sort().join() === right.sort().join();
}
