import { strict as assert } from "node:assert";
import { join } from "node:path";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import type { MergeSettings } from "../../../shared/parquet/merge/pages/merge_settings.ts";
import { planByName } from "../../../shared/parquet/merge/union/plan_by_name.ts";
import { unionSchema } from "../../../shared/parquet/merge/union/union_schema.ts";
import { canonical, openDuckDb } from "../duckdb_rows.ts";
import { checkOutput } from "./check_output.ts";
import { mergeBytes, paths } from "./merge_bytes.ts";

const rows = 30_000;

/** Values of many kinds in one row group with pages of few rows; a second file has leaves that the first lacks. */
const selects = [
  `select range as id, (range * 7919 % 1000)::INTEGER as n, 'text ' || range * 31 % 5000 as t,
     case when range % 3 = 0 then null else range / 7 end as d, range % 2 = 0 as b,
     {'a': range % 100, 'b': 'x' || range % 50} as s,
     case when range % 11 = 0 then null else list_transform(range(range % 5), i -> {'x': i + range}) end as l
   from range(${rows})`,
  `select 'more ' || range as t, 1.5::DOUBLE as extra, range as id, range as n,
     {'c': 'c' || range, 'a': range} as s, [{'y': 'y', 'x': range}] as l from range(500)`,
];

const slices: Partial<MergeSettings> = {
  ...paths["in slices"],
  rowGroupBytes: 100_000,
  pageRows: 900,
};

async function withFiles(
  run: (
    files: Uint8Array[],
    read: (output: Uint8Array) => Promise<string[][]>,
  ) => Promise<void>,
): Promise<void> {
  const { connection, close } = await openDuckDb();
  const folder = await Deno.makeTempDir();
  let count = 0;
  try {
    const files = await Promise.all(selects.map(async (select, i) => {
      const path = join(folder, `in${i}.parquet`);
      await connection.run(`copy (${select}) to '${path}' (format parquet, row_group_size 100000)`);
      const bytes = await Deno.readFile(path);
      const count = i === 0 ? rows : 500;
      // DuckDB writes one page a chunk: of the second file all rows are carried over again and again
      return i === 1 ? bytes : (await mergeBytes([bytes], count, {
        settings: { pageRows: 700, healthyBytes: Infinity },
      }))
        .output;
    }));
    await run(files, async (output) => {
      const path = join(folder, `out${count++}.parquet`);
      await Deno.writeFile(path, output);
      const reader = await connection.runAndReadAll(`from read_parquet('${path}') order by id, t`);
      return reader.getRows().map((row) => row.map(canonical));
    });
  } finally {
    close();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a row group that is merged in slices has its rows, in several row groups", async () => {
  await withFiles(async ([first, second], read) => {
    const schema = unionSchema([first, second].map((bytes) => inspectParquetBytes(bytes).tree));
    for (const options of [{}, { schema, planSource: planByName }]) {
      const files = options.schema === undefined ? [first] : [first, second];
      const total = files.length === 1 ? rows : rows + 500;
      const sliced = await mergeBytes(files, total, { ...options, settings: slices });
      checkOutput(sliced.output);
      assert.ok(footerOfBytes(sliced.output).metadata.rowGroups.length > 3);
      const whole = await mergeBytes(files, total, {
        ...options,
        settings: paths["page by page"],
      });
      assert.deepEqual(await read(sliced.output), await read(whole.output));
    }
  });
});

Deno.test("slices use a dictionary where values repeat, also for rows that were carried over", async () => {
  await withFiles(async ([first]) => {
    const { output } = await mergeBytes([first], rows, { settings: slices });
    const { rowGroups } = footerOfBytes(output).metadata;
    const offsets = rowGroups.map(({ columns }) => columns[1].metaData!.dictionaryPageOffset);
    // the last one has too few rows for one to pay
    assert.ok(offsets.slice(0, -1).every((offset) => offset !== undefined));
  });
});

Deno.test("a row group whose last page is broken leaves none of its slices behind", async () => {
  await withFiles(async ([first], read) => {
    const broken = first.slice();
    const { metaData } = footerOfBytes(first).metadata.rowGroups[0].columns[0];
    broken.fill(
      255,
      metaData!.dataPageOffset + metaData!.totalCompressedSize / 2,
      metaData!.dataPageOffset + metaData!.totalCompressedSize - 20,
    );
    const { output, result } = await mergeBytes([first, broken, first], 3 * rows, {
      settings: slices,
    });
    assert.deepEqual(result.rejected.map(({ id }) => id), ["file1"]);
    checkOutput(output);
    assert.equal((await read(output)).length, 2 * rows);
  });
});
