/**
 * Leaves of one struct, list or map that disagree on where it is null, empty or longer: what a reader sees of such a
 * file depends on the reader, so it is refused.
 */
import { strict as assert } from "node:assert";
import { SedimentError } from "../../../shared/errors.ts";
import { chunkExtent } from "../../../shared/parquet/inspect/check_chunks.ts";
import { checkValues } from "../../../shared/parquet/inspect/check_values.ts";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { rowsOfBytes, writeWithDuckDb } from "../sample_files.ts";
import { mergeBytes, paths } from "./merge_bytes.ts";

const plain = "format parquet, compression uncompressed, row_group_size 2048";

/** The columns of a file, by what says of row `i` whether a group is null, or how long it is. */
const columns: Record<string, { column: (odd: string) => string; odd: [string, string] }> = {
  "a struct that is null": {
    column: (odd) => `case when ${odd} then null else {'a': i, 'b': i * 3} end as s`,
    odd: ["i % 1000 = 996", "i % 1000 = 997"],
  },
  "a struct in a struct that is null": {
    column: (odd) => `{'z': i, 's': case when ${odd} then null else {'a': i, 'b': i * 3} end} as s`,
    odd: ["i % 1000 = 996", "i % 1000 = 997"],
  },
  "a list that is null": {
    column: (odd) => `case when ${odd} then null else [{'a': i, 'b': i * 3}] end as s`,
    odd: ["i % 1000 = 996", "i % 1000 = 997"],
  },
  "an element that is null": {
    column: (odd) => `[case when ${odd} then null else {'a': i, 'b': i * 3} end] as s`,
    odd: ["i % 1000 = 996", "i % 1000 = 997"],
  },
  "a list that is empty": {
    column: (odd) => `case when ${odd} then [] else [{'a': i, 'b': i * 3}] end as s`,
    odd: ["i % 1000 = 996", "i % 1000 = 997"],
  },
  "a list that is longer": {
    column: (odd) => `[{'a': x, 'b': [x * 3]} for x in range(if(${odd}, 3, 2))] as s`,
    odd: ["i % 1000 = 996", "i % 1000 = 997"],
  },
  "a map that is longer": {
    column: (odd) =>
      `map_from_entries([{'k': x, 'v': x * 3} for x in range(if(${odd}, 3, 2))]) as s`,
    odd: ["i % 1000 = 996", "i % 1000 = 997"],
  },
};

function fileOf(column: string, rows: number): Promise<Uint8Array<ArrayBuffer>> {
  return writeWithDuckDb(`select i as n, ${column}, 'end' as e from range(${rows}) r(i)`, plain);
}

/** The file with the last leaf of `s`, in its last row group, as the other file has it. */
function contradicting(file: Uint8Array, other: Uint8Array): Uint8Array {
  const { footer, tree } = inspectParquetBytes(file);
  const leaf = tree.leaves.length - 2;
  const extent = (bytes: Uint8Array) => {
    const { metadata } = inspectParquetBytes(bytes).footer;
    return chunkExtent(metadata.rowGroups.at(-1)!.columns[leaf].metaData!);
  };
  assert.deepEqual(tree.leaves[leaf].path[0], "s");
  assert.deepEqual(extent(other), extent(file));
  assert.ok(footer.metadata.rowGroups.length > 1);
  const { start, length } = extent(file);
  const mutant = file.slice();
  mutant.set(other.subarray(start, start + length), start);
  assert.notDeepEqual(mutant, file);
  return mutant;
}

const rows = 3000;

for (const [what, { column, odd: [one, another] }] of Object.entries(columns)) {
  Deno.test(`${what} by one leaf and not by another is refused at upload and in every way of merging`, async () => {
    const good = await fileOf(column(one), rows), other = await fileOf(column(another), rows);
    const bad = contradicting(good, other);
    for (const file of [good, other]) {
      assert.equal(await checkValues(file, inspectParquetBytes(file)), true);
    }
    const { tree } = inspectParquetBytes(bad);
    const named = (error: unknown, file?: string) => {
      assert.ok(error instanceof SedimentError, String(error));
      assert.equal(error.code, "invalid_parquet");
      assert.match(error.message, /levels/);
      assert.deepEqual(error.extra, {
        ...(file !== undefined && { file }),
        row_group: 1,
        column: tree.leaves.at(-2)!.path,
      });
      return true;
    };
    await assert.rejects(checkValues(bad, inspectParquetBytes(bad)), (error) => named(error));
    for (const [way, settings] of Object.entries(paths)) {
      const { result, output } = await mergeBytes([good, bad, other], 3 * rows, { settings });
      assert.deepEqual(result.merged, ["file0", "file2"], way);
      assert.equal(result.rejected.length, 1);
      named(result.rejected[0].error, "file1");
      assert.deepEqual(
        [...await rowsOfBytes(output)].sort(),
        [...await rowsOfBytes(good, other)].sort(),
      );
    }
  });
}

Deno.test("leaves that agree are taken wherever their pages end", async () => {
  const nested =
    `select case when i % 7 = 0 then null else {'a': i, 'b': [i, null], 'c': repeat('x', i % 300)} end as s,
    case when i % 11 = 0 then null else [{'x': x, 'y': repeat('y', x * 50), 'z': [x]} for x in range(i % 4)] end as l,
    map_from_entries([{'k': x, 'v': repeat('v', x * 90)} for x in range(i % 3)]) as m from range(2000) r(i)`;
  const file = await writeWithDuckDb(nested);
  const settings = { pageBytes: 1500, pageRows: 300 };
  const { output } = await mergeBytes([file, file], 4000, { settings });
  const facts = inspectParquetBytes(output);
  const offsets = facts.footer.metadata.rowGroups[0].columns.map((chunk) =>
    chunk.offsetIndexLength!
  );
  assert.ok(new Set(offsets).size > 2, String(offsets));
  assert.equal(await checkValues(output, facts), true);
  const expected = [...await rowsOfBytes(file, file)].sort();
  for (const [way, settings] of Object.entries(paths)) {
    const again = await mergeBytes([output], 4000, { settings });
    assert.deepEqual(again.result.merged, ["file0"], way);
    assert.deepEqual([...await rowsOfBytes(again.output)].sort(), expected);
  }
});
