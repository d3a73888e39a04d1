/** The inner groups of a list have other names in an upload than in the output: what is copied goes under the output's. */
import { parquetReadObjects } from "hyparquet";
import { strict as assert } from "node:assert";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import type { ColumnMetaData } from "../../../shared/parquet/format/metadata.ts";
import { planByName } from "../../../shared/parquet/merge/union/plan_by_name.ts";
import { mergeBytes, paths } from "../core/merge_bytes.ts";
import { rowsOfBytes, writeWithDuckDb } from "../sample_files.ts";
import { withFooter } from "../with_footer.ts";
import { copied } from "./copied.ts";

const rows = "select [i, i + 1] as l, i as id from range(100) t(i)";

const renameItem = (chunk: ColumnMetaData) => chunk.path = chunk.path.with(2, "item");

/** The file as pyarrow names its lists: `l.list.item`. */
const itemNamed = (file: Uint8Array) =>
  withFooter(file, ({ schema, rowGroups }) => {
    schema.find(({ name }) => name === "element")!.name = "item";
    for (const { columns } of rowGroups) renameItem(columns[0].metaData!);
  });

const pathsOf = (file: Uint8Array) =>
  footerOfBytes(file).metadata.rowGroups.map(({ columns }) => columns[0].metaData!.path.join("."));

Deno.test("a copied chunk has the path of the output's leaf, and readers that go by it find it", async () => {
  const first = await writeWithDuckDb(rows);
  const second = itemNamed(await writeWithDuckDb(rows));
  assert.deepEqual(pathsOf(second), ["l.list.item"]);
  const { result, output } = await mergeBytes([first, second], 200, {
    settings: paths.copied,
    planSource: planByName,
  });
  assert.deepEqual(result.rejected, []);
  assert.deepEqual(pathsOf(output), ["l.list.element", "l.list.element"]);
  assert.equal(inspectParquetBytes(output).rowCount, 200);
  assert.equal((await parquetReadObjects({ file: output.buffer })).length, 200);
  assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(first, second));
});

Deno.test("an output of ours that has the paths of its uploads is read by position, and written anew with its own", async () => {
  const { output } = await mergeBytes([await writeWithDuckDb(rows)], 100);
  const old = (createdBy: string) =>
    withFooter(output, (metadata) => {
      metadata.createdBy = createdBy;
      renameItem(metadata.rowGroups[0].columns[0].metaData!);
    });
  assert.throws(() => inspectParquetBytes(old("somebody else")), /chunk is of column l.list.item/);
  assert.throws(() => inspectParquetBytes(old("sediment version 0.2.0 (build page-merge)")));
  const ours = old("sediment version 0.1.0 (build page-merge)");
  assert.equal(inspectParquetBytes(ours).rowCount, 100);
  for (const level of [0, 1]) {
    const { result, output: again } = await copied(ours, level);
    assert.deepEqual(result.rejected, []);
    assert.deepEqual(pathsOf(again), ["l.list.element"]);
    assert.deepEqual(await rowsOfBytes(again), await rowsOfBytes(output));
  }
});
