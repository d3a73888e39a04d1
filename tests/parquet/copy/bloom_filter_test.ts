/** Bloom filters of copied row groups: an upload's may say anything, and readers pass over rows by them. */
import { strict as assert } from "node:assert";
import { SedimentError } from "../../../shared/errors.ts";
import { footerOfBytes } from "../../../shared/parquet/footer.ts";
import { inspectParquetBytes } from "../../../shared/parquet/inspect.ts";
import type { ColumnMetaData } from "../../../shared/parquet/metadata.ts";
import { openDuckDb, rowsOf } from "../duckdb_rows.ts";
import { rowsOfBytes, writeWithDuckDb } from "../sample_files.ts";
import { withFooter } from "../with_footer.ts";
import { copied } from "./copied.ts";

const rows = 5_000;

const fileWithFilter = () =>
  writeWithDuckDb(`select 'v' || (i % 40) as s, i as n from range(${rows}) t(i)`);

const metaOf = (file: Uint8Array) => footerOfBytes(file).metadata.rowGroups[0].columns[0].metaData!;

const filterOf = (file: Uint8Array, { bloomFilterOffset, bloomFilterLength }: ColumnMetaData) =>
  file.subarray(bloomFilterOffset!, bloomFilterOffset! + bloomFilterLength!);

/** Rows that DuckDB finds by a value that a filter knows. */
async function found(file: Uint8Array): Promise<string> {
  const path = await Deno.makeTempFile({ suffix: ".parquet" });
  const { connection, close } = await openDuckDb();
  try {
    await Deno.writeFile(path, file);
    const counts = await rowsOf(connection, `select count(*) from '${path}' where s = 'v7'`);
    return [...counts][0][0];
  } finally {
    close();
    await Deno.remove(path);
  }
}

const lies: Record<string, (meta: ColumnMetaData) => void> = {
  "that is as it was": () => {},
  "that lies in the pages": (meta) => {
    meta.bloomFilterOffset = meta.dataPageOffset;
  },
  "that overlaps the footer's neighbour": (meta) => {
    meta.bloomFilterOffset! -= 9;
  },
  "of no length": (meta) => {
    meta.bloomFilterLength = undefined;
  },
};

for (const [lie, tell] of Object.entries(lies)) {
  Deno.test(`an upload's Bloom filter ${lie} is not copied, and its rows are found`, async () => {
    const file = await fileWithFilter();
    assert.ok(metaOf(file).bloomFilterOffset !== undefined, "DuckDB writes one");
    const upload = withFooter(file, ({ rowGroups }) => tell(rowGroups[0].columns[0].metaData!));
    const { result, output } = await copied(upload, 0);
    assert.deepEqual(result.rejected, []);
    assert.equal(metaOf(output).bloomFilterOffset, undefined);
    assert.equal(metaOf(output).bloomFilterLength, undefined);
    assert.equal(await found(output), `${rows / 40}n`);
    assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(file));
  });
}

Deno.test("a filter whose bits are cleared hides rows in the upload, and not in what it is merged to", async () => {
  const file = await fileWithFilter();
  const { bloomFilterOffset, bloomFilterLength } = metaOf(file);
  // behind the filter's header
  file.fill(0, bloomFilterOffset! + 16, bloomFilterOffset! + bloomFilterLength!);
  assert.equal(await found(file), "0n");
  assert.equal(await found((await copied(file, 0)).output), `${rows / 40}n`);
});

Deno.test("a Bloom filter outside of the file is refused at upload and by the merge", async () => {
  const file = withFooter(await fileWithFilter(), ({ rowGroups }) => {
    rowGroups[0].columns[0].metaData!.bloomFilterOffset = 1 << 30;
  });
  const named = (error: unknown) => {
    assert.ok(error instanceof SedimentError && error.code === "invalid_parquet", String(error));
    assert.deepEqual(error.extra?.column, ["s"]);
    return true;
  };
  assert.throws(() => inspectParquetBytes(file), named);
  for (const level of [0, 1]) named((await copied(file, level)).result.rejected[0].error);
});

Deno.test("the filter of a group that a merge wrote goes along with it", async () => {
  const file = await fileWithFilter();
  const { output } = await copied(file, 1);
  assert.deepEqual(filterOf(output, metaOf(output)), filterOf(file, metaOf(file)));
  assert.equal(await found(output), `${rows / 40}n`);
});
