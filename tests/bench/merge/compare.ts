/** Compares an output with its inputs, and with DuckDB's output, by DuckDB. */
import type { DuckDBConnection } from "@duckdb/node-api";
import process from "node:process";
import { literal, rows } from "../../support/duckdb.ts";
import { median } from "../median.ts";

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

/** How well the ratio is to be known, from so many pairs of scans at least. */
const precise = 0.01, pairsAtLeast = 31;

/** CPU in ms after which the ratio is given as well as it is known, from so many pairs at least. */
const scanBudgetMs = 12_000, pairsAnyway = 11;

/** A ratio with half the width of the interval that holds it with 95 %. */
export interface ScanRatio {
  ratio: number;
  error: number;
}

/**
 * CPU of reading every column of the first file to that of the second, by DuckDB with the connection's threads and the
 * files in the page cache. The two are read in turn, the first of a pair the second of the next, after a pair that is
 * not counted. What counts is the median of the pairs' ratios, which a busy machine shifts far less than either time;
 * one pair is off by 5 to 10 % on a quiet one, so there are pairs until the median is known.
 */
export async function scanRatio(
  connection: DuckDBConnection,
  paths: [string, string],
): Promise<ScanRatio> {
  const scan = async (path: string) => {
    const before = process.cpuUsage();
    await connection.run(`select max(columns(*)) from read_parquet(${literal(path)})`);
    const cpu = process.cpuUsage(before);
    return (cpu.user + cpu.system) / 1000;
  };
  const ratios: number[] = [];
  let spentMs = 0;
  for (let run = 0;; run++) {
    const times = [0, 0];
    for (const which of run % 2 === 0 ? [0, 1] : [1, 0]) times[which] = await scan(paths[which]);
    if (run === 0) continue;
    ratios.push(times[0] / times[1]);
    spentMs += times[0] + times[1];
    if (ratios.length < (spentMs < scanBudgetMs ? pairsAtLeast : pairsAnyway)) continue;
    const error = errorOfMedian(ratios);
    if (error <= precise || spentMs >= scanBudgetMs) return { ratio: median(ratios), error };
  }
}

/** Half the width of the median's 95 % interval, which goes by ranks: what the numbers are drawn from is unknown. */
function errorOfMedian(numbers: number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const ranks = 0.98 * Math.sqrt(sorted.length);
  const low = sorted[Math.floor(sorted.length / 2 - ranks)];
  const high = sorted[Math.ceil(sorted.length / 2 + ranks)];
  return (high - low) / 2;
}
