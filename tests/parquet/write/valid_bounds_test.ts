/** Bounds are values that the column could hold (parquet.thrift, ColumnIndex), and say where they are not exact. */
import { strict as assert } from "node:assert";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import { readColumnIndex } from "../../../shared/parquet/format/page_index.ts";
import type { Statistics } from "../../../shared/parquet/format/metadata.ts";
import { mergeBytes } from "../core/merge_bytes.ts";
import { copied } from "../copy/copied.ts";
import { openDuckDb, rowsOf } from "../duckdb_rows.ts";
import { writeWithDuckDb } from "../sample_files.ts";

const fatal = new TextDecoder("utf-8", { fatal: true });

function statisticsOf(file: Uint8Array): Statistics {
  return footerOfBytes(file).metadata.rowGroups[0].columns[0].metaData!.statistics!;
}

/** Merged, and copied. */
async function outputsOf(query: string): Promise<Uint8Array[]> {
  const file = await writeWithDuckDb(query);
  const { numRows } = footerOfBytes(file).metadata;
  return [(await mergeBytes([file], numRows)).output, (await copied(file, 0)).output];
}

for (
  const [name, least, most, expectedLeast, expectedMost] of [
    // 63 bytes and a character of two, three or four over the cut at 64
    [
      "two bytes",
      "a".repeat(63) + "é",
      "b".repeat(63) + "é!",
      "a".repeat(63),
      "b".repeat(62) + "c",
    ],
    [
      "three bytes",
      "a".repeat(62) + "€",
      "b".repeat(62) + "€!",
      "a".repeat(62),
      "b".repeat(61) + "c",
    ],
    ["whole characters", "é".repeat(40), "é".repeat(41), "é".repeat(32), "é".repeat(31) + "ê"],
    ["the last before the surrogates", "a", "퟿".repeat(22), "a", "퟿".repeat(20) + "\ue000"],
    ["the last of Unicode", "a", "z" + "\u{10ffff}".repeat(16), "a", "{"],
  ]
) {
  Deno.test(`a long text's bounds are cut and raised between characters: ${name}`, async () => {
    for (const output of await outputsOf(`select * from (values ('${least}'), ('${most}')) t(s)`)) {
      const { minValue, maxValue, isMinExact, isMaxExact } = statisticsOf(output);
      assert.deepEqual([fatal.decode(minValue), fatal.decode(maxValue)], [
        expectedLeast,
        expectedMost,
      ]);
      assert.deepEqual([isMinExact, isMaxExact], [expectedLeast === least, false]);
      const [chunk] = footerOfBytes(output).metadata.rowGroups[0].columns;
      const at = chunk.columnIndexOffset!;
      const index = readColumnIndex(output.subarray(at, at + chunk.columnIndexLength!));
      assert.deepEqual([index.minValues[0], index.maxValues[0]], [minValue, maxValue]);
    }
  });
}

Deno.test("bytes that are no text are cut and raised byte by byte", async () => {
  for (const output of await outputsOf(`select unhex(repeat('ff', 10) || repeat('7f', 90)) as b`)) {
    const { minValue, maxValue } = statisticsOf(output);
    assert.equal(minValue!.length, 64);
    assert.deepEqual([...maxValue!], [...new Array(10).fill(255), ...new Array(53).fill(127), 128]);
  }
});

Deno.test("a text of nothing but the last characters of Unicode has no upper bound, and is found", async () => {
  const text = "\u{10ffff}".repeat(20);
  for (const output of await outputsOf(`select '${text}' as s`)) {
    assert.equal(statisticsOf(output).maxValue, undefined);
    const path = await Deno.makeTempFile({ suffix: ".parquet" });
    const { connection, close } = await openDuckDb();
    try {
      await Deno.writeFile(path, output);
      const sql = `select count(*) from '${path}' where s = '${text}'`;
      assert.deepEqual([...(await rowsOf(connection, sql)).keys()], ["1n"]);
    } finally {
      close();
      await Deno.remove(path);
    }
  }
});

const double = (value: number) => [...new Uint8Array(Float64Array.of(value).buffer)];

Deno.test("a zero is widened to both signs and is not exact then; other bounds are", async () => {
  for (
    const [values, min, max, exact] of [
      ["0.0", -0, 0, [false, true]],
      ["-0.0::double", -0, 0, [true, false]],
      ["0.0), (2.5", -0, 2.5, [false, true]],
      ["-1.5), (0.0", -1.5, 0, [true, true]],
      ["1.5), (2.5", 1.5, 2.5, [true, true]],
    ] as [string, number, number, boolean[]][]
  ) {
    const query = `select x::double as x from (values (${values})) t(x)`;
    const signed = values.startsWith("-0") ? "select -(0.0::double) as x" : query;
    for (const output of await outputsOf(signed)) {
      const { minValue, maxValue, isMinExact, isMaxExact } = statisticsOf(output);
      assert.deepEqual([[...minValue!], [...maxValue!]], [double(min), double(max)], values);
      assert.deepEqual([isMinExact, isMaxExact], exact, values);
    }
  }
});

Deno.test("a column whose type has no order is no sort key, and may be one by which rows are found equal", async () => {
  const file = await writeWithDuckDb("select interval (i % 3) day as x, i as n from range(9) t(i)");
  await assert.rejects(
    () => mergeBytes([file], 9, {}, "snappy", { sort: [{ path: ["x"] }] }),
    { code: "invalid_config", field: "x" },
  );
  const { result } = await mergeBytes([file], 9, {}, "snappy", {
    sort: [{ path: ["n"] }],
    dedupe: [["x"]],
  });
  assert.equal(result.rowCount, 3);
});
