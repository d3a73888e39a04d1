/**
 * A process that reads Parquet files with DuckDB and answers with a digest of their rows: hostile files can take
 * a native reader down, and then only this process is lost. Requests and answers are lines of JSON.
 */
import { createHash } from "node:crypto";
import { TextLineStream } from "./text_lines.ts";
import { openDuckDb, rowsOf } from "../duckdb_rows.ts";

const { connection } = await openDuckDb();
await connection.run("set memory_limit = '1GB'");

const modulus = 1n << 128n;

/** A row's share of the digest: 128 bits of the SHA-256 of its text. */
function shareOf(row: string): bigint {
  return BigInt(`0x${createHash("sha256").update(row).digest("hex").slice(0, 32)}`);
}

for await (const path of Deno.stdin.readable.pipeThrough(new TextLineStream())) {
  let answer: { digest: string; rows: number } | { error: string };
  try {
    const rows = await rowsOf(connection, `from read_parquet('${path}') limit 200000`);
    let digest = 0n, count = 0;
    for (const [row, times] of rows) {
      digest = (digest + shareOf(row) * BigInt(times)) % modulus;
      count += times;
    }
    answer = { digest: digest.toString(16), rows: count };
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) };
  }
  console.log(JSON.stringify(answer));
}
