import type { DuckDBConnection } from "@duckdb/node-api";
import fc from "../../support/fast_check.ts";
import { strict as assert } from "node:assert";
import { WasmPool } from "../../../shared/parquet/merge/decode/wasm_pool.ts";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { openDuckDb, rowsOf } from "../duckdb_rows.ts";
import { checkOutput } from "./check_output.ts";
import { mergeBytes, type PathName, paths } from "./merge_bytes.ts";
import { type RandomTable, randomTable } from "./random_tables.ts";
import { type Desk, newPath, writers, writeTable } from "./writers.ts";

/** More with `FUZZ_RUNS`. */
const runs = Number(Deno.env.get("FUZZ_RUNS") ?? 25);

for (const way of Object.keys(paths) as PathName[]) {
  Deno.test(`random tables ${way} hold the rows that DuckDB reads from the inputs`, async () => {
    const { connection, close } = await openDuckDb();
    const pool = await WasmPool.open();
    const folder = await Deno.makeTempDir();
    const desk: Desk = { connection, pool, folder, files: 0, written: new Map() };
    try {
      await fc.assert(
        fc.asyncProperty(randomTable, writers, async (table, writer) => {
          const inputs = await writeTable(desk, table, writer);
          const bytes = await Promise.all(inputs.map((path) => Deno.readFile(path)));
          const rows = bytes.reduce((sum, b) => sum + inspectParquetBytes(b).rowCount, 0);
          const settings = way === "page by page" ? { ...paths[way], pageRows: 7 } : paths[way];
          const merged = await mergeBytes(bytes, rows, { settings });
          assert.deepEqual(merged.result.rejected, []);
          if (way !== "copied") checkOutput(merged.output);
          const output = newPath(desk, "out");
          await Deno.writeFile(output, merged.output);
          const expected = await rowsOf(
            connection,
            `from read_parquet([${inputs.map((path) => `'${path}'`).join(", ")}])`,
          );
          assert.deepEqual(await rowsOf(connection, `from read_parquet('${output}')`), expected);
          await checkFilters(connection, output, inputs, table);
        }),
        { numRuns: runs },
      );
      assert.equal(desk.written.size, 4, "all writers wrote");
    } finally {
      close();
      await Deno.remove(folder, { recursive: true });
    }
  });
}

/** Rows found by a value must be the same: readers leave out what the statistics rule out. */
async function checkFilters(
  connection: DuckDBConnection,
  output: string,
  inputs: string[],
  table: RandomTable,
): Promise<void> {
  const rows = table.files.flat();
  const columns = (await connection.runAndReadAll(`from '${output}' limit 0`)).columnNames();
  for (let c = 0; c < table.types.length; c++) {
    // parquet-wasm leaves UUID out of its schema; DuckDB's Bloom filters of BLOBs miss what isn't ASCII, in
    // its own files, too
    if (/\[\]|STRUCT|MAP|UUID|BLOB/.test(table.types[c])) continue;
    if (!columns.includes(`c${c}`)) continue; // its writer left it out
    const value = rows[(c * 7) % rows.length][c];
    for (const operator of ["=", "<", ">="]) {
      const where = `where c${c} ${operator} ${value}`;
      const list = inputs.map((path) => `'${path}'`).join(", ");
      // materialised first, so that the inputs' statistics play no part
      await connection.run(`create or replace temp table plain as from read_parquet([${list}])`);
      assert.deepEqual(
        await rowsOf(connection, `select count(*) from read_parquet('${output}') ${where}`),
        await rowsOf(connection, `select count(*) from plain ${where}`),
        `${table.types[c]} ${where}`,
      );
    }
  }
}
