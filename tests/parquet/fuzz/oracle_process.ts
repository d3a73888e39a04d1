/**
 * A process that reads Parquet files with DuckDB and answers with a digest of their rows: hostile files can take
 * a native reader down, and then only this process is lost. Requests and answers are lines of JSON.
 */
import { createHash } from "node:crypto";
import { TextLineStream } from "./text_lines.ts";
import { openDuckDb, rowsOf } from "../duckdb_rows.ts";

const { connection } = await openDuckDb();
await connection.run("set memory_limit = '1GB'");

for await (const path of Deno.stdin.readable.pipeThrough(new TextLineStream())) {
  let answer: { digest: string; rows: number } | { error: string };
  try {
    const rows = await rowsOf(connection, `from read_parquet('${path}') limit 200000`);
    const lines = [...rows].map(([row, count]) => `${count} ${row}`).sort();
    const digest = createHash("sha256").update(lines.join("\n")).digest("hex");
    answer = { digest, rows: [...rows.values()].reduce((sum, count) => sum + count, 0) };
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) };
  }
  console.log(JSON.stringify(answer));
}
