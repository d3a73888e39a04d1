/** Sound files of which one has many columns and another many rows: neither is left out for the other. */
import { strict as assert } from "node:assert";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { schemaJson } from "../../../shared/parquet/format/schema_json.ts";
import { bytesReader } from "../../../shared/parquet/format/range_reader.ts";
import type { MergeOrder } from "../../../shared/parquet/merge/pages/row_order.ts";
import { mergePages, type PageMergeOptions } from "../../../shared/parquet/merge/page_merge.ts";
import { planByName } from "../../../shared/parquet/merge/union/plan_by_name.ts";
import { schemaFromJson } from "../../../shared/parquet/merge/union/schema_from_json.ts";
import { unionSchema } from "../../../shared/parquet/merge/union/union_schema.ts";
import { openDuckDb, rowsOf } from "../duckdb_rows.ts";
import { MemorySink } from "../memory_sink.ts";
import { writeWithDuckDb } from "../sample_files.ts";
import { checkOutput } from "./check_output.ts";

async function unite(files: Uint8Array[], options: PageMergeOptions = {}, order?: MergeOrder) {
  const facts = files.map((bytes) => inspectParquetBytes(bytes));
  const sink = new MemorySink();
  const result = await mergePages(
    {
      inputs: files.map((_, i) => ({ id: `file${i}`, level: 0 })),
      target: { rowGroupBytes: 8 << 20, pageBytes: 1 << 20, codec: "snappy" },
      expectedRows: facts.reduce((sum, { rowCount }) => sum + rowCount, 0),
      order,
    },
    new Map(files.map((bytes, i) => [`file${i}`, bytesReader(bytes)])),
    sink,
    {
      schema: schemaFromJson(schemaJson(unionSchema(facts.map(({ tree }) => tree)))),
      planSource: planByName,
      ...options,
    },
  );
  return { result, output: sink.bytes() };
}

const columns = (count: number) => Array.from({ length: count }, (_, c) => `i + ${c} as c${c}`);
const wide = () =>
  writeWithDuckDb(`select ${columns(600)} from (select i::integer as i from range(3) t(i))`);
const long = () => writeWithDuckDb("select i as id from range(200000) t(i)");

for (
  const [name, order] of [["wide", "wide long"], ["long", "long wide"], [
    "turns",
    "wide long wide long",
  ]]
) {
  Deno.test(`600 columns of 3 rows and 200,000 rows of one column are merged: ${order} (${name} first)`, async () => {
    const made = { wide: await wide(), long: await long() };
    const files = order.split(" ").map((one) => made[one as keyof typeof made]);
    const { result, output } = await unite(files);
    assert.deepEqual(result.rejected, []);
    checkOutput(output);
    const path = await Deno.makeTempFile({ suffix: ".parquet" });
    const { connection, close } = await openDuckDb();
    try {
      await Deno.writeFile(path, output);
      const n = order.split(" ").length / 2;
      const sql = `select count(*), count(id), sum(id), count(c0), sum(c0), count(c599), sum(c599),
        count(*) filter (where c7 is null and id is null) from '${path}'`;
      assert.deepEqual([...(await rowsOf(connection, sql)).keys()], [
        [200_003, 200_000, 199_999 * 100_000, 3, 3, 3, 3 + 3 * 599].map((one) => `${one * n}n`)
          .concat("0n").join(","),
      ]);
    } finally {
      close();
      await Deno.remove(path);
    }
  });
}

/** Files whose columns are there by turns, nested ones too, so that runs of nulls of all lengths meet values. */
async function byTurns(): Promise<Uint8Array[]> {
  const parts = [
    (i: string) => `${i} as id, ${i} * 2 as a, {'x': ${i}, 'y': 'y' || ${i}} as s, [${i}] as l`,
    (i: string) => `${i} as id, {'x': ${i}} as s`,
    (i: string) => `${i} as id, 'b' || ${i} as b, [${i}, null] as l`,
    (i: string) => `${i} as id, case when ${i} % 3 = 0 then null else ${i} end as a, true as t`,
  ];
  const files: Uint8Array[] = [];
  let from = 0;
  for (const rows of [1, 7, 31, 32, 33, 40, 64, 95, 700, 2000, 5, 8]) {
    for (const part of parts) {
      files.push(
        await writeWithDuckDb(`select ${part("i")} from range(${from}, ${from + rows}) t(i)`),
      );
      from += rows;
    }
  }
  return files;
}

for (
  const [how, options, order] of [
    ["as small files", {}, undefined],
    ["with short pages", { settings: { pageRows: 30 } }, undefined],
    [
      "page by page",
      { settings: { wholeFileBytes: 0, healthyBytes: Infinity, pageRows: 50 } },
      undefined,
    ],
    ["in slices", {
      settings: {
        wholeFileBytes: 0,
        healthyBytes: Infinity,
        mergeGroupBytes: 0,
        rowGroupBytes: 2000,
      },
    }, undefined],
    ["sorted", {}, { sort: [{ path: ["a"] }, { path: ["id"], descending: true }] }],
    ["sorted by what most lack", { settings: { sortRows: 500, parkRows: 64 } }, {
      sort: [{ path: ["b"] }],
    }],
  ] as [string, PageMergeOptions, MergeOrder | undefined][]
) {
  Deno.test(`columns that are missing by turns are null there, and hold their values elsewhere, ${how}`, async () => {
    const files = await byTurns();
    const folder = await Deno.makeTempDir();
    const { connection, close } = await openDuckDb();
    try {
      const { result, output } = await unite(files, options, order);
      assert.deepEqual(result.rejected, []);
      checkOutput(output);
      for (const [i, file] of files.entries()) {
        await Deno.writeFile(`${folder}/in${String(i).padStart(3, "0")}.parquet`, file);
      }
      await Deno.writeFile(`${folder}/out.parquet`, output);
      const select = "select id, a, b, s, l, t";
      assert.deepEqual(
        await rowsOf(connection, `${select} from '${folder}/out.parquet'`),
        await rowsOf(
          connection,
          `${select} from read_parquet('${folder}/in*.parquet', union_by_name = true)`,
        ),
      );
    } finally {
      close();
      await Deno.remove(folder, { recursive: true });
    }
  });
}
