import type { DuckDBConnection } from "@duckdb/node-api";
import fc from "../../support/fast_check.ts";
import { strict as assert } from "node:assert";
import { join } from "node:path";
import { SedimentError } from "../../../shared/errors.ts";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { canonical, openDuckDb } from "../duckdb_rows.ts";
import { checkOutput } from "./check_output.ts";
import { mergeBytes, paths } from "./merge_bytes.ts";
import { keyedTable, type RandomTable, selectOf } from "./random_tables.ts";

const runs = Number(Deno.env.get("FUZZ_RUNS") ?? 25);
let filesWritten = 0;

/** Rows in the order in which DuckDB gives them, each cell as text. */
async function cells(connection: DuckDBConnection, sql: string): Promise<string[][]> {
  const reader = await connection.runAndReadAll(sql);
  return reader.getRows().map((row) => row.map(canonical));
}

async function writeFiles(connection: DuckDBConnection, folder: string, table: RandomTable) {
  const inputs: string[] = [];
  for (let i = 0; i < table.files.length; i++) {
    const path = join(folder, `in${filesWritten++}.parquet`);
    await connection.run(`copy (${selectOf(table, i)}) to '${path}' (format parquet)`);
    inputs.push(path);
  }
  const bytes = await Promise.all(inputs.map((path) => Deno.readFile(path)));
  const rows = bytes.reduce((sum, one) => sum + inspectParquetBytes(one).rowCount, 0);
  return { inputs, bytes, rows };
}

/** Rows are packed a few at a time while they wait. */
const parked = { pageRows: 2, parkRows: 5 };

/** −0 and 0 are one place in an order. */
const place = (key: string[]) => key.map((cell) => cell === "-0" ? "0" : cell).join();

Deno.test("rows are sorted by two keys as DuckDB sorts them, and rows of equal keys stay in order", async () => {
  const { connection, close } = await openDuckDb();
  const folder = await Deno.makeTempDir();
  try {
    await fc.assert(
      fc.asyncProperty(
        keyedTable,
        fc.boolean(),
        fc.boolean(),
        fc.constantFrom(undefined, 100, 1000),
        async (table, descending, large, rowGroupBytes) => {
          const { inputs, bytes, rows } = await writeFiles(connection, folder, table);
          const { output } = await mergeBytes(
            bytes,
            rows,
            {
              settings: {
                ...(large ? paths["page by page"] : parked),
                ...(rowGroupBytes !== undefined && { rowGroupBytes }),
              },
            },
            "snappy",
            { sort: [{ path: ["c0"] }, { path: ["c1"], descending }] },
          );
          checkOutput(output);
          const { metadata } = footerOfBytes(output);
          for (const { sortingColumns } of metadata.rowGroups) {
            assert.deepEqual(sortingColumns, [
              { columnIndex: 0, descending: false, nullsFirst: false },
              { columnIndex: 1, descending, nullsFirst: false },
            ]);
          }
          const path = join(folder, `out${filesWritten++}.parquet`);
          await Deno.writeFile(path, output);
          const list = inputs.map((input) => `'${input}'`).join(", ");
          const actual = await cells(connection, `from read_parquet('${path}')`);
          const expected = await cells(
            connection,
            `from read_parquet([${list}]) order by c0 nulls last, c1 ${
              descending ? "desc" : "asc"
            } nulls last`,
          );
          assert.deepEqual(
            actual.map((row) => place(row.slice(0, 2))),
            expected.map((row) => place(row.slice(0, 2))),
          );
          // the order of the inputs among equal keys
          const unsorted = await cells(connection, `from read_parquet([${list}])`);
          const byKey = Map.groupBy(unsorted, (row) => place(row.slice(0, 2)));
          const actualByKey = Map.groupBy(actual, (row) => place(row.slice(0, 2)));
          assert.deepEqual(actualByKey, byKey);
        },
      ),
      { numRuns: runs },
    );
  } finally {
    close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("of rows with equal keys the last one stays, whatever its other columns hold", async () => {
  const { connection, close } = await openDuckDb();
  const folder = await Deno.makeTempDir();
  try {
    await fc.assert(
      fc.asyncProperty(keyedTable, fc.constantFrom(4 << 20, 100), async (table, rowGroupBytes) => {
        const { inputs, bytes, rows } = await writeFiles(connection, folder, table);
        const settings = { ...parked, rowGroupBytes };
        const { output, result } = await mergeBytes(bytes, rows, { settings }, "snappy", {
          sort: [],
          dedupe: [["c0"], ["c1"]],
        });
        const path = join(folder, `out${filesWritten++}.parquet`);
        await Deno.writeFile(path, output);
        const list = inputs.map((input) => `'${input}'`).join(", ");
        const last = new Map<string, string[]>();
        for (const row of await cells(connection, `from read_parquet([${list}])`)) {
          const key = row.slice(0, 2).join();
          last.delete(key); // to the end: the order is that of the last ones
          last.set(key, row);
        }
        assert.deepEqual(await cells(connection, `from read_parquet('${path}')`), [
          ...last.values(),
        ]);
        assert.equal(result.rowCount + result.droppedRows!, rows);
      }),
      { numRuns: runs },
    );
  } finally {
    close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a broken file among rows that wait to be sorted takes none of them with it", async () => {
  const { connection, close } = await openDuckDb();
  const folder = await Deno.makeTempDir();
  try {
    const files = await Promise.all([0, 1, 2].map(async (file) => {
      const path = join(folder, `in${file}.parquet`);
      await connection.run(
        `copy (select (range * 7919 + ${file}) % 1000 as c0, 'text ' || (range % 9) as c1, ` +
          `[range, null, ${file}] as c2, case when range % 3 = 0 then null else range / 7 end as c3 ` +
          `from range(400)) to '${path}' (format parquet)`,
      );
      return await Deno.readFile(path);
    }));
    const order = { sort: [{ path: ["c0"] }] };
    // the last column's page: the others have taken the file's rows by then
    const broken = files[1].slice();
    const last = footerOfBytes(broken).metadata.rowGroups[0].columns.at(-1)!.metaData!;
    broken.fill(255, last.dataPageOffset + 40, last.dataPageOffset + 80);
    for (const settings of [parked, { ...parked, ...paths["page by page"], pageRows: 2 }]) {
      const options = { settings };
      const mended = await mergeBytes([files[0], broken, files[2]], 1200, options, "snappy", order);
      assert.deepEqual(mended.result.rejected.map(({ id }) => id), ["file1"]);
      const whole = await mergeBytes([files[0], files[2]], 800, options, "snappy", order);
      const outputs = await Promise.all([mended, whole].map(async ({ output }) => {
        const path = join(folder, `out${filesWritten++}.parquet`);
        await Deno.writeFile(path, output);
        return await cells(connection, `from read_parquet('${path}')`);
      }));
      assert.deepEqual(outputs[0], outputs[1]);
    }
  } finally {
    close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a merge that can't hold all rows does not deduplicate a part of them", async () => {
  const { connection, close } = await openDuckDb();
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "in.parquet");
    await connection.run(`copy (select range as c0 from range(50)) to '${path}' (format parquet)`);
    const bytes = await Deno.readFile(path);
    const order = { sort: [], dedupe: [["c0"]] };
    await assert.rejects(
      mergeBytes([bytes, bytes], 100, { settings: { sortRows: 50 } }, "snappy", order),
      (error) => error instanceof SedimentError && error.code === "merge_too_large",
    );
    const { result } = await mergeBytes([bytes, bytes], 100, {}, "snappy", order);
    assert.equal(result.droppedRows, 50);
  } finally {
    close();
    await Deno.remove(folder, { recursive: true });
  }
});
