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

/** CPU of reading every column of each of two files, in ms, in turn; medians of five. */
export async function scanTimes(
  connection: DuckDBConnection,
  paths: [string, string],
): Promise<[number, number]> {
  const times: [number[], number[]] = [[], []];
  for (let run = 0; run < 5; run++) {
    for (const which of [0, 1] as const) {
      const before = process.cpuUsage();
      const from = `read_parquet(${literal(paths[which])})`;
      await connection.run(`select max(columns(*)) from ${from}`);
      const cpu = process.cpuUsage(before);
      times[which].push((cpu.user + cpu.system) / 1000);
    }
  }
  return [median(times[0]), median(times[1])];
}
