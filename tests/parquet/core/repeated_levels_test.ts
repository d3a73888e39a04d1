/** Levels that no nesting of lists gives: readers make different rows of them, or none. */
import { strict as assert } from "node:assert";
import { SedimentError } from "../../../shared/errors.ts";
import { checkValues } from "../../../shared/parquet/inspect/check_values.ts";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { rowsOfBytes, writeWithDuckDb } from "../sample_files.ts";
import { fileOfLevels, type LevelPage } from "./level_pages.ts";
import { mergeBytes, paths } from "./merge_bytes.ts";

/** Entries as `repetition/definition`, pages apart by `|`; those at the highest level have values. */
function pagesOf(text: string, highest: number): LevelPage[] {
  let value = 0;
  return text.split("|").map((page) => {
    const entries = page.trim().split(/\s+/).map((entry) => entry.split("/").map(Number));
    return {
      repetitions: entries.map(([repetition]) => repetition),
      definitions: entries.map(([, definition]) => definition),
      values: entries.flatMap(([, definition]) => definition === highest ? [value++] : []),
    };
  });
}

/** integer[]: 0 null, 1 empty, 2 an entry that is null, 3 a value. integer[][]: 3 and 4 an inner list, 5 a value. */
const highest = { "integer[]": 3, "integer[][]": 5 };

const sound: [type: keyof typeof highest, levels: string, rows: string][] = [
  [
    "integer[]",
    "0/3 1/3 0/0 0/1 0/2 1/3 1/2",
    "select unnest([[0, 1], null, [], [null, 2, null]]) as l",
  ],
  ["integer[]", "0/3 | 1/3 1/2 | 0/1", "select unnest([[0, 1, null], []]) as l"],
  [
    "integer[][]",
    "0/5 2/5 1/3 1/5 2/4 0/0 0/1 0/2 1/2 0/3",
    "select unnest([[[0, 1], [], [2, null]], null, [], [null, null], [[]]]) as l",
  ],
];

for (const [type, levels, rows] of sound) {
  Deno.test(`levels ${levels} of ${type} are taken`, async () => {
    const file = await fileOfLevels(type, pagesOf(levels, highest[type]));
    const facts = inspectParquetBytes(file);
    assert.equal(await checkValues(file, facts), true);
    const expected = await rowsOfBytes(await writeWithDuckDb(rows));
    assert.deepEqual(await rowsOfBytes(file), expected);
    for (const settings of Object.values(paths)) {
      const { output } = await mergeBytes([file], facts.rowCount, { settings });
      assert.deepEqual(await rowsOfBytes(output), expected);
    }
  });
}

const fill = "0/3 1/3 1/2 0/1 0/0 0/3 1/3 1/3 1/2";

const broken: [type: keyof typeof highest, levels: string, page: number][] = [
  ["integer[]", "0/3 1/0", 0],
  ["integer[]", "0/3 1/1", 0],
  ["integer[]", "0/0 1/3", 0],
  ["integer[]", "0/1 1/2", 0],
  ["integer[]", "0/3 0/1 | 1/3", 1],
  ["integer[]", `${fill} ${fill} 0/1 1/3`, 0],
  ["integer[]", `${fill} 0/1 1/3 ${fill} ${fill}`, 0],
  ["integer[]", `0/1 1/3 ${fill} ${fill}`, 0],
  ["integer[]", `${fill} 1/1 ${fill}`, 0],
  ["integer[][]", "0/5 2/3", 0],
  ["integer[][]", "0/3 2/5", 0],
  ["integer[][]", "0/2 2/5", 0],
  ["integer[][]", "0/1 1/5", 0],
  ["integer[][]", "0/5 1/1", 0],
];

for (const [type, levels, page] of broken) {
  Deno.test(`levels ${levels} of ${type} are refused at upload and in every way of merging`, async () => {
    const bad = await fileOfLevels(type, pagesOf(levels, highest[type]));
    const good = await fileOfLevels(type, pagesOf("0/1 0/0", highest[type]));
    const named = (error: unknown, file?: string) => {
      assert.ok(error instanceof SedimentError && error.code === "invalid_parquet", String(error));
      assert.match(error.message, /go on with a list/);
      assert.deepEqual(error.extra, {
        ...(file !== undefined && { file }),
        row_group: 0,
        column: inspectParquetBytes(bad).tree.leaves[0].path,
        page,
      });
      return true;
    };
    await assert.rejects(checkValues(bad, inspectParquetBytes(bad)), (error) => named(error));
    for (const [way, settings] of Object.entries(paths)) {
      const { result, output } = await mergeBytes([good, bad, good], 100, { settings });
      assert.deepEqual(result.merged, ["file0", "file2"], way);
      named(result.rejected[0].error, "file1");
      assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(good, good));
    }
  });
}
