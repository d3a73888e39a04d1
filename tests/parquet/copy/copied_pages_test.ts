/** What the footer says of row groups that were copied out of uploads: their values say it, not the upload's footer. */
import { strict as assert } from "node:assert";
import { readParquet, writeParquet } from "parquet-wasm/node";
import { chunkExtent } from "../../../shared/parquet/inspect/check_chunks.ts";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import type { FileMetaData } from "../../../shared/parquet/format/metadata.ts";
import { readColumnIndex, readOffsetIndex } from "../../../shared/parquet/format/page_index.ts";
import { fileOfLevels } from "../core/level_pages.ts";
import { mergeBytes, paths } from "../core/merge_bytes.ts";
import { openDuckDb, rowsOf } from "../duckdb_rows.ts";
import { fixtureBytes, hasFixtures } from "../fixtures.ts";
import { mixedRows, rowsOfBytes, writeWithDuckDb } from "../sample_files.ts";
import { withFooter } from "../with_footer.ts";
import { copied } from "./copied.ts";

const rows = 3_000;

const extremes = `select i as n, case when i % 9 = 0 then 'nan'::double else i / 7 end as nans,
  (i - 1500) / 8 as x, case when i < 5 then -0.0::float else 1 end as zero, null::integer as nothing,
  case when i % 2 = 0 then repeat(chr(97 + (i % 7)::integer), 90) end as long, '' as empty,
  (i - 1500)::decimal(30, 3) as wide, (i - 1500)::decimal(9, 2) as narrow, (i % 2 = 0) as b, true as always,
  (-i)::hugeint::varchar::blob as bytes, hash(i) as u64, (hash(i) >> 40)::uinteger as u32, i::tinyint as i8,
  'key ' || (i % 40) as low, hash(i)::varchar as high from range(-100, 27) t(i)`;

const files: Record<string, () => Promise<Uint8Array>> = {
  "DuckDB": () => writeWithDuckDb(mixedRows(0, rows)),
  "DuckDB without dictionaries, in V2 pages": () =>
    writeWithDuckDb(
      mixedRows(0, rows),
      "format parquet, parquet_version v2, dictionary_size_limit 0",
    ),
  "DuckDB, of extremes": () => writeWithDuckDb(extremes),
  "parquet-wasm": async () => writeParquet(readParquet(await writeWithDuckDb(mixedRows(0, rows)))),
  "parquet-wasm, of extremes": async () =>
    writeParquet(readParquet(await writeWithDuckDb(extremes.replace("(-i)::hugeint", "(-i)")))),
};

for (const [writer, write] of Object.entries(files)) {
  Deno.test(`a copied group of ${writer} has the bounds and nulls that a merge finds`, async () => {
    const file = await write();
    const count = footerOfBytes(file).metadata.numRows;
    const copy = footerOfBytes((await copied(file, 0)).output).metadata;
    const merged = await mergeBytes([file], count, { settings: paths["as one transaction"] });
    const expected = footerOfBytes(merged.output).metadata;
    assert.equal(copy.rowGroups.length, 1);
    let bounded = 0;
    for (const [i, { metaData }] of copy.rowGroups[0].columns.entries()) {
      const { statistics, path } = expected.rowGroups[0].columns[i].metaData!;
      assert.deepEqual(metaData!.statistics, statistics, path.join("."));
      bounded += Number(statistics!.maxValue !== undefined);
    }
    assert.ok(bounded > 10, String(bounded));
  });
}

/** What footers say wrongly of chunks that are as they were. */
const lies: Record<string, (metadata: FileMetaData) => void> = {
  "a maximum that is too low": ({ rowGroups: [{ columns: [{ metaData }] }] }) => {
    metaData!.statistics!.maxValue = metaData!.statistics!.minValue;
    metaData!.statistics!.max = metaData!.statistics!.min;
  },
  "a minimum that no timestamp can be": ({ rowGroups: [{ columns: [, , { metaData }] }] }) => {
    metaData!.statistics!.minValue = new Uint8Array(8).fill(0x7f);
  },
  "no nulls": ({ rowGroups: [{ columns: [, { metaData }] }] }) => {
    metaData!.statistics!.nullCount = 0;
  },
  "nothing but nulls": ({ rowGroups: [{ columns: [{ metaData }] }] }) => {
    metaData!.statistics!.nullCount = rows;
  },
  "other sizes, encodings and order": ({ rowGroups: [group] }) => {
    const { metaData } = group.columns[0];
    metaData!.totalUncompressedSize = 7;
    metaData!.encodings = [0, 3, 8];
    metaData!.encodingStats = [{ pageType: 0, encoding: 8, count: 1 }];
    metaData!.sizeStatistics = {
      unencodedByteArrayDataBytes: 3,
      repetitionLevelHistogram: [1],
      definitionLevelHistogram: [0, 1],
    };
    group.totalByteSize = 9;
    group.sortingColumns = [{ columnIndex: 0, descending: true, nullsFirst: true }];
  },
};

for (const [lie, tell] of Object.entries(lies)) {
  Deno.test(`a footer's lie of ${lie} is not copied`, async () => {
    const file = await writeWithDuckDb(
      `select i as n, case when i % 3 = 0 then i end as m, make_timestamp(i * 1000003) as t from range(${rows}) r(i)`,
      "format parquet, dictionary_size_limit 0",
    );
    const lying = withFooter(file, tell);
    const { output } = await copied(lying, 0);
    assert.deepEqual(
      footerOfBytes(output).metadata.rowGroups,
      footerOfBytes((await copied(file, 0)).output).metadata.rowGroups,
    );
    const path = await Deno.makeTempFile({ suffix: ".parquet" });
    const { connection, close } = await openDuckDb();
    try {
      await Deno.writeFile(path, output);
      const found = async (where: string) =>
        [...await rowsOf(connection, `select count(*) as c from '${path}' where ${where}`)][0][0];
      assert.equal(await found(`n >= ${rows - 10}`), "10n");
      assert.equal(await found("m is null"), `${rows - rows / 3}n`);
      assert.equal(await found("t < timestamp '1970-01-01 00:00:10'"), "10n");
    } finally {
      close();
      await Deno.remove(path);
    }
  });
}

/** The page indexes of a file's first row group, with offsets from the chunk's start. */
function indexesOf(file: Uint8Array) {
  return footerOfBytes(file).metadata.rowGroups[0].columns.map((chunk) => {
    const part = (at?: number, length?: number) => file.subarray(at!, at! + length!);
    const columns = chunk.columnIndexOffset === undefined
      ? undefined
      : readColumnIndex(part(chunk.columnIndexOffset, chunk.columnIndexLength));
    if (chunk.offsetIndexOffset === undefined) return { columns };
    const { pages } = readOffsetIndex(part(chunk.offsetIndexOffset, chunk.offsetIndexLength));
    const { start } = chunkExtent(chunk.metaData!);
    return { columns, pages: pages.map((page) => ({ ...page, offset: page.offset - start })) };
  });
}

Deno.test("page indexes of a copied upload come from its pages, whatever its own say", async () => {
  const { output: file } = await mergeBytes(
    [await writeWithDuckDb(mixedRows(0, 1000))],
    1000,
    { settings: { pageRows: 100 } },
  );
  const indexes = indexesOf(file);
  assert.ok(indexes.every(({ pages }) => pages!.length === 10));
  assert.deepEqual(indexesOf((await copied(file, 0)).output), indexes);
  const lying = file.slice();
  for (
    const { columnIndexOffset, columnIndexLength } of footerOfBytes(file).metadata.rowGroups[0]
      .columns
  ) {
    if (columnIndexOffset === undefined) continue;
    lying.fill(0x11, columnIndexOffset + 20, columnIndexOffset + columnIndexLength! - 1);
  }
  const { result, output } = await copied(lying, 0);
  assert.deepEqual(result.rejected, []);
  assert.deepEqual(indexesOf(output), indexes);
  assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(file));
});

Deno.test("a chunk with a page that begins inside of a row gets no page index", async () => {
  const file = await fileOfLevels("integer[]", [
    { repetitions: [0, 1, 0], definitions: [3, 3, 3], values: [1, 2, 3] },
    { repetitions: [1], definitions: [3], values: [4] },
  ]);
  const { output } = await copied(file, 0);
  assert.deepEqual(indexesOf(output), [{ columns: undefined }]);
  assert.deepEqual([...await rowsOfBytes(output)], [...await rowsOfBytes(file)]);
  const [{ metaData }] = footerOfBytes(output).metadata.rowGroups[0].columns;
  assert.deepEqual([...metaData!.statistics!.maxValue!], [4, 0, 0, 0]);
});

Deno.test({
  name: "BYTE_STREAM_SPLIT of integers, which DuckDB does not read, is written anew and not copied",
  ignore: !hasFixtures,
  async fn() {
    const { output } = await copied(fixtureBytes("byte_stream_split_extended.gzip.parquet"), 0);
    const path = await Deno.makeTempFile({ suffix: ".parquet" });
    const { connection, close } = await openDuckDb();
    try {
      await Deno.writeFile(path, output);
      const types = ["int32", "int64", "flba5", "decimal", "float", "double", "float16"];
      const same = types.map((type) =>
        `${type}_plain is not distinct from ${type}_byte_stream_split`
      );
      const reader = await connection.runAndReadAll(
        `select count(*)::int, count(*) filter (${same.join(" and ")})::int from '${path}'`,
      );
      const [[rows, equal]] = reader.getRows();
      assert.equal(equal, rows);
      assert.ok(Number(rows) > 0);
    } finally {
      close();
      await Deno.remove(path);
    }
  },
});
