/** Compares an output with its inputs, and with DuckDB's output, by DuckDB. */
import type { DuckDBConnection } from "@duckdb/node-api";
import process from "node:process";
import { literal, rows } from "../../support/duckdb.ts";
import { median } from "./measure.ts";

/**
 * Count and sum of the rows' hashes: equal for equal multisets. Floats are hashed by their text, since DuckDB's
 * hash of a number equates −0 and +0.
 */
export async function fingerprint(
  connection: DuckDBConnection,
  path: string,
): Promise<string> {
  const from = `read_parquet(${literal(path)})`;
  const columns = await rows(connection, `describe select * from ${from}`);
  const parts = columns
    .map((c) => ({ name: `"${c.column_name}"`, type: String(c.column_type) }))
    .sort((a, b) => a.name < b.name ? -1 : 1)
    .map(({ name, type }) => /FLOAT|DOUBLE/.test(type) ? `${name}::VARCHAR` : name);
  const [sum] = await rows(
    connection,
    `select count(*) as n, sum(hash(${parts.join(", ")})::HUGEINT) as s from ${from}`,
  );
  return `${sum.n}/${sum.s}`;
}

/** Scans of each file in turn, after one of each that is not counted. */
const scans = 31;

/**
 * CPU of reading every column of the first file to that of the second. The two are read in turn, the first of a pair
 * the second of the next; the median of the pairs' ratios, which a busy machine shifts far less than either time.
 */
export async function scanTimes(
  connection: DuckDBConnection,
  paths: [string, string],
): Promise<number> {
  const scan = async (path: string) => {
    const before = process.cpuUsage();
    await connection.run(`select max(columns(*)) from read_parquet(${literal(path)})`);
    const cpu = process.cpuUsage(before);
    return cpu.user + cpu.system;
  };
  const ratios: number[] = [];
  for (let run = 0; run <= scans; run++) {
    const times = [0, 0];
    for (const which of run % 2 === 0 ? [0, 1] : [1, 0]) times[which] = await scan(paths[which]);
    if (run > 0) ratios.push(times[0] / times[1]);
  }
  return median(ratios);
}
