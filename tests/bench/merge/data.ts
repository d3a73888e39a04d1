/** The bench's inputs: fragments.sql written as snappy Parquet by parquet-wasm, one folder a shape. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { join } from "node:path";
import { WasmPool } from "../../../shared/parquet/merge/decode/wasm_pool.ts";
import { literal, openDuckdb } from "../../support/duckdb.ts";
import { fragmentQuery } from "../../support/fragments.ts";

/** What is written to one folder. */
export interface FileSet {
  files: number;
  rowsEach: number;
  codec?: "snappy" | "zstd" | "uncompressed";
  /** Leaves the files as DuckDB writes them, in this codec: a page a column chunk. @default parquet-wasm writes them */
  duckdb?: "snappy" | "gzip" | "brotli";
  /** First row's number. */
  from?: number;
  /** The select list over the fragment's columns, by the file's number. */
  columns?: (file: number) => string;
  /** Prefix of the files' names, so that they sort in order. */
  prefix?: string;
}

/** Writes the files unless the folder holds them already. */
export async function writeFiles(folder: string, set: FileSet): Promise<void> {
  const prefix = set.prefix ?? "f";
  const name = (i: number) => join(folder, `${prefix}${String(i).padStart(5, "0")}.parquet`);
  try {
    await Deno.stat(join(folder, `${prefix}.done`));
    return;
  } catch { /* to be written */ }
  await Deno.mkdir(folder, { recursive: true });
  const duckdb = await openDuckdb(1);
  const pool = await WasmPool.open();
  const temporary = join(folder, `${prefix}.tmp`);
  const from = set.from ?? 0;
  // a table once, as the generator costs more than the copies
  const blockFiles = Math.max(1, Math.floor(250_000 / set.rowsEach));
  for (let i = 0; i < set.files; i++) {
    if (i % blockFiles === 0) {
      const first = from + i * set.rowsEach;
      const last = from + Math.min(set.files, i + blockFiles) * set.rowsEach;
      await duckdb.run(`create or replace table rows as ${fragmentQuery(first, last)}`);
    }
    const first = from + i * set.rowsEach;
    const columns = set.columns?.(i) ?? "*";
    const last = first + set.rowsEach;
    if (set.duckdb !== undefined) {
      await copyRows(duckdb, name(i), columns, first, last, set.duckdb);
      continue;
    }
    await copyRows(duckdb, temporary, columns, first, last);
    const written = pool.rewrite(await Deno.readFile(temporary), {
      codec: set.codec ?? "snappy",
      dictionary: true,
      pageBytes: 1024 * 1024,
      statistics: true,
    });
    await Deno.writeFile(name(i), written);
  }
  duckdb.closeSync();
  await Deno.remove(temporary).catch(() => {});
  await Deno.writeTextFile(join(folder, `${prefix}.done`), "");
}

async function copyRows(
  duckdb: DuckDBConnection,
  path: string,
  columns: string,
  from: number,
  to: number,
  codec = "uncompressed",
): Promise<void> {
  await duckdb.run(
    `copy (select ${columns} from rows where id >= ${from} and id < ${to}) to ${literal(path)} ` +
      `(format parquet, compression ${codec}, row_group_size 10000000)`,
  );
}

/** The Parquet files of a folder in order of name. */
export async function listFiles(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    if (entry.name.endsWith(".parquet")) names.push(entry.name);
  }
  return names.sort().map((name) => join(folder, name));
}
