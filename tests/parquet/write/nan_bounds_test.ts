import { strict as assert } from "node:assert";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { readColumnIndex } from "../../../shared/parquet/format/page_index.ts";
import { mergeBytes } from "../core/merge_bytes.ts";
import { openDuckDb, rowsOf } from "../duckdb_rows.ts";
import { writeWithDuckDb } from "../sample_files.ts";

/** Pages of 100 rows, one row group. */
const settings = { pageRows: 100, healthyBytes: Infinity };

/** 1,000 numbers and one NaN at row 250, which DuckDB takes for larger than all numbers. */
async function mergedWithNaN(type: "float" | "double", values: string) {
  const file = await writeWithDuckDb(
    `select case when i = 250 then 'nan'::${type} else (${values})::${type} end as x, ` +
      `(${values})::${type} as y from range(1000) t(i)`,
  );
  const { rowCount } = inspectParquetBytes(file);
  return (await mergeBytes([file], rowCount, { settings })).output;
}

for (const type of ["float", "double"] as const) {
  for (const [kind, values] of [["plain", "i / 8"], ["dictionary", "i % 5"]]) {
    Deno.test(`a ${type} column of ${kind} pages has no bounds when one value is NaN, and its neighbour has`, async () => {
      const output = await mergedWithNaN(type, values);
      const [x, y] = footerOfBytes(output).metadata.rowGroups[0].columns;
      assert.equal(x.metaData!.statistics!.minValue, undefined);
      assert.equal(x.metaData!.statistics!.maxValue, undefined);
      assert.equal(x.columnIndexOffset, undefined, "page bounds are for all pages or for none");
      assert.equal(x.metaData!.statistics!.nullCount, 0);
      assert.ok(y.metaData!.statistics!.minValue !== undefined);
      const index = readColumnIndex(
        output.subarray(y.columnIndexOffset!, y.columnIndexOffset! + y.columnIndexLength!),
      );
      assert.equal(index.minValues.length, 10);
    });
  }

  Deno.test(`DuckDB finds the NaN of a merged ${type} column by equality and by an order`, async () => {
    const output = await mergedWithNaN(type, "i % 5");
    const path = await Deno.makeTempFile({ suffix: ".parquet" });
    const { connection, close } = await openDuckDb();
    try {
      await Deno.writeFile(path, output);
      for (const where of ["x = 'nan'", "x > 5"]) {
        const rows = await rowsOf(connection, `select x from '${path}' where ${where}`);
        assert.deepEqual([...rows.values()], [1], where);
      }
    } finally {
      close();
      await Deno.remove(path);
    }
  });
}
