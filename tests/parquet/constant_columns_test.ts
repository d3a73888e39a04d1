/** Outputs with columns of one value behind those of their inputs: every path, read by several readers. */
import { Buffer } from "node:buffer";
import { strict as assert } from "node:assert";
import { parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { footerOfBytes } from "../../shared/parquet/format/footer.ts";
import { codec, encoding } from "../../shared/parquet/format/metadata.ts";
import { bytesReader } from "../../shared/parquet/format/range_reader.ts";
import { schemaJson } from "../../shared/parquet/format/schema_json.ts";
import { inspectParquetBytes } from "../../shared/parquet/inspect/inspect.ts";
import { merge } from "../../shared/parquet/merge/merge.ts";
import type { MergePlan } from "../../shared/parquet/merge/merge_plan.ts";
import { unionSchema } from "../../shared/parquet/merge/union/union_schema.ts";
import { RowOrigins } from "../../shared/parquet/write/row_origins.ts";
import { checkOutput } from "./core/check_output.ts";
import { openDuckDb, rowsOf } from "./duckdb_rows.ts";
import { MemorySink } from "./memory_sink.ts";
import { mixedRows, writeWithDuckDb } from "./sample_files.ts";
import { withFooter } from "./with_footer.ts";

const dataset = "7e57d004-2b97-4e7a-b45f-5387367791cd";
const constants = [{ name: "dataset_id", value: dataset }, { name: "period_tag", value: "007" }];

interface Input {
  bytes: Uint8Array;
  /** Whether an earlier merge gave it the columns. */
  given?: boolean;
  level?: number;
  origins?: RowOrigins;
}

/** @param ours whether all pages are our own: those of others may have no CRC */
async function mergeInputs(inputs: Input[], plan: Partial<MergePlan> = {}, ours = true) {
  const expectedRows = inputs.reduce(
    (sum, { bytes }) => sum + inspectParquetBytes(bytes).rowCount,
    0,
  );
  const sink = new MemorySink();
  const result = await merge(
    {
      inputs: inputs.map(({ given, level, origins }, i) => ({
        id: `f${i}`,
        level: level ?? (given ? 1 : 0),
        ...(given && { givenColumns: 2 }),
        ...(origins && { origins }),
      })),
      target: { rowGroupBytes: 4 << 20, pageBytes: 1 << 20, codec: "zstd" },
      expectedRows,
      constants,
      ...plan,
    },
    new Map(inputs.map(({ bytes }, i) => [`f${i}`, bytesReader(bytes)])),
    sink,
  );
  const output = sink.bytes();
  if (ours && result.merged.length > 0) checkOutput(output);
  return { result, output };
}

/** What DuckDB gives for queries in which the files are `$0`, `$1`, …. */
async function ask(files: Uint8Array[], ...queries: string[]) {
  const { connection, close } = await openDuckDb();
  const folder = await Deno.makeTempDir();
  try {
    for (const [i, file] of files.entries()) await Deno.writeFile(`${folder}/${i}.parquet`, file);
    const answers = [];
    for (const query of queries) {
      answers.push(
        await rowsOf(connection, query.replace(/\$(\d)/g, (_, i) => `'${folder}/${i}.parquet'`)),
      );
    }
    return answers;
  } finally {
    close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Holds an output to the rows of its inputs, each with the constants. */
async function holdsRows(
  output: Uint8Array,
  inputs: Uint8Array[],
  columns = "* exclude (dataset_id, period_tag)",
) {
  const all = inputs.map((_, i) => `from $${i + 1}`).join(" union all by name ");
  const [rows, expected, own, types] = await ask(
    [output, ...inputs],
    `select ${columns} from $0`,
    all,
    "select dataset_id, period_tag, count(*) from $0 group by all",
    "select typeof(dataset_id), typeof(period_tag) from $0 limit 1",
  );
  // not by deepEqual: in Deno 2.1 it compares each row of a map with each
  assert.equal(rows.size, expected.size);
  for (const [row, times] of expected) assert.equal(rows.get(row), times, row);
  const count = [...expected.values()].reduce((sum, one) => sum + one, 0);
  assert.deepEqual([...own.keys()], [`"${dataset}","007",${count}n`]);
  assert.deepEqual([...types.keys()], ['"VARCHAR","VARCHAR"']);
}

/** The file with a field id at every element, as Iceberg's writers give them. */
const withIds = (file: Uint8Array, first: number) =>
  withFooter(file, ({ schema }) => {
    schema.slice(1).forEach((element, i) => element.fieldId = first + i);
  });

const fieldIds = (file: Uint8Array) =>
  footerOfBytes(file).metadata.schema.filter(({ fieldId }) => fieldId !== undefined).length;

Deno.test("an output has the columns last, in each row group one value of exact bounds, and no field id", async () => {
  const files = [];
  for (let i = 0; i < 5; i++) {
    files.push(withIds(await writeWithDuckDb(mixedRows(i * 4000, 4000)), i));
  }
  const { result, output } = await mergeInputs(files.map((bytes) => ({ bytes })), {
    target: { rowGroupBytes: 300_000, pageBytes: 1 << 20, codec: "zstd" },
  });
  assert.equal(result.hasConstants, true);
  assert.ok(result.rowGroupCount > 1);
  await holdsRows(output, files);
  assert.ok(fieldIds(files[0]) > 30);
  assert.equal(fieldIds(output), 0);

  const { metadata } = footerOfBytes(output);
  assert.deepEqual(metadata.schema.slice(-2).map(({ name, repetition }) => [name, repetition]), [
    ["dataset_id", 0],
    ["period_tag", 0],
  ]);
  for (const { columns, numRows, totalByteSize, totalCompressedSize } of metadata.rowGroups) {
    const metas = columns.map(({ metaData }) => metaData!);
    for (const [i, meta] of metas.slice(-2).entries()) {
      const text = new TextEncoder().encode(constants[i].value);
      assert.deepEqual(meta.encodings, [encoding.PLAIN, encoding.RLE, encoding.RLE_DICTIONARY]);
      assert.equal(meta.codec, codec.UNCOMPRESSED);
      assert.equal(meta.numValues, numRows);
      assert.deepEqual([meta.statistics!.minValue, meta.statistics!.maxValue], [text, text]);
      assert.deepEqual([meta.statistics!.isMinExact, meta.statistics!.isMaxExact], [true, true]);
      assert.equal(meta.statistics!.nullCount, 0);
      assert.deepEqual(meta.encodingStats!.map(({ count }) => count), [1, 1], "a page a row group");
    }
    const sum = (of: (meta: typeof metas[0]) => number) =>
      metas.reduce((total, meta) => total + of(meta), 0);
    assert.equal(totalByteSize, sum((meta) => meta.totalUncompressedSize));
    assert.equal(totalCompressedSize, sum((meta) => meta.totalCompressedSize));
  }
});

Deno.test("what the catalog is told of an output is what it is told of one without the columns, but for field ids", async () => {
  const files = [mixedRows(0, 50), mixedRows(50, 50)].map((query) => writeWithDuckDb(query));
  const inputs = (await Promise.all(files)).map((bytes) => ({ bytes }));
  const { result } = await mergeInputs(inputs);
  const { result: plain } = await mergeInputs(inputs, { constants: undefined });
  assert.equal(plain.hasConstants, undefined);
  const { byteLength: _, uncompressedBytes, hasConstants, ...told } = result;
  const { byteLength, uncompressedBytes: before, ...toldBefore } = plain;
  assert.deepEqual(told, toldBefore);
  assert.ok(hasConstants && byteLength > 0 && uncompressedBytes === before);
  const withId = await mergeInputs(inputs.map(({ bytes }) => ({ bytes: withIds(bytes, 1) })));
  assert.deepEqual(withId.result.schema, plain.schema);
});

Deno.test("outputs are merged again with new fragments, and have the columns once", async () => {
  const files = [];
  for (let i = 0; i < 6; i++) files.push(await writeWithDuckDb(mixedRows(i * 40, 40)));
  const plain = files.map((bytes) => ({ bytes }));
  const first = await mergeInputs(plain.slice(0, 3));
  const alone = await mergeInputs(plain.slice(3, 4));
  const again = await mergeInputs([
    { bytes: first.output, given: true },
    plain[4],
    { bytes: alone.output, given: true },
    plain[5],
  ]);
  assert.deepEqual(again.result.rejected, []);
  assert.equal(again.result.schemaFingerprint, first.result.schemaFingerprint);
  assert.deepEqual(again.result.schema, first.result.schema);
  await holdsRows(again.output, files);
  // and of a table that is out of the lake by then they are gone
  const out = await mergeInputs([{ bytes: again.output, given: true }], { constants: undefined });
  const [names] = await ask([out.output], "select column_name from (describe from $0)");
  assert.ok(!names.has('"dataset_id"') && names.has('"id"'));
  assert.equal(out.result.schemaFingerprint, first.result.schemaFingerprint);
});

Deno.test("healthy row groups get the columns and are copied, of uploads and of outputs", async () => {
  const wide = (from: number) =>
    writeWithDuckDb(
      `select i, hash(i) as h, md5(i::varchar) as s from range(${from}, ${from + 120_000}) t(i)`,
      "format parquet, row_group_size 61440",
    );
  const files = [await wide(0), await wide(120_000)];
  const first = await mergeInputs(files.map((bytes) => ({ bytes })), {}, false);
  assert.equal(first.result.rowGroupCount, 4);
  const again = await mergeInputs([{ bytes: first.output, given: true }], {}, false);
  await holdsRows(first.output, files);
  await holdsRows(again.output, files);
  const [uploaded, once, twice] = [files[0], first.output, again.output].map((file) => {
    const { start, totalCompressedSize } = extentOf(file);
    return file.subarray(start, start + totalCompressedSize);
  });
  assert.ok(Buffer.from(once).equals(uploaded));
  assert.ok(Buffer.from(twice).equals(uploaded));
});

/** Where the first row group's first column lies. */
function extentOf(file: Uint8Array) {
  const meta = footerOfBytes(file).metadata.rowGroups[0].columns[0].metaData!;
  return {
    start: Math.min(meta.dictionaryPageOffset || meta.dataPageOffset, meta.dataPageOffset),
    totalCompressedSize: meta.totalCompressedSize,
  };
}

Deno.test("sorting, deduplication and leaving out rows know nothing of the columns", async () => {
  const file = (from: number, say: string) =>
    writeWithDuckDb(
      `select (i * 7919 % 500)::int as id, '${say}' as say from range(${from}, ${from + 500}) t(i)`,
    );
  const files = [await file(0, "old"), await file(250, "new"), await file(100, "gone")];
  const inputs = files.map((bytes, i) => ({ bytes, origins: RowOrigins.of(i + 1, 500) }));
  const order = { sort: [{ path: ["id"] }] };
  const sorted = await mergeInputs(inputs, { order, drop: new Set([3]) });
  await holdsRows(sorted.output, files.slice(0, 2));
  const [ids] = await ask([sorted.output], "select list(id) = list_sort(list(id)) from $0");
  assert.deepEqual([...ids.keys()], ["true"]);

  const deduped = await mergeInputs(
    [{ bytes: sorted.output, given: true }],
    { order: { ...order, dedupe: [["id"]] } },
  );
  const [rows] = await ask(
    [deduped.output],
    "select count(*), count(distinct id), any_value(period_tag) from $0",
  );
  assert.deepEqual([...rows.keys()], ['500n,500n,"007"']);
});

Deno.test("files of several schemas, and what the kernels don't know, get the columns", async () => {
  const narrow = await writeWithDuckDb(
    "select i::int as a, 'x' as b from range(30) t(i)",
    "format parquet, compression brotli",
  );
  const wide = await writeWithDuckDb("select i::bigint as a, i as c from range(30, 70) t(i)");
  const trees = [narrow, wide].map((bytes) => inspectParquetBytes(bytes).tree);
  const { result, output } = await mergeInputs([{ bytes: narrow }, { bytes: wide }], {
    schema: schemaJson(unionSchema(trees)),
  });
  assert.deepEqual(result.rejected, []);
  await holdsRows(output, [narrow, wide]);
});

Deno.test("a file whose own column has one of the names, in any case, gets none, and isn't merged with others", async () => {
  const own = await writeWithDuckDb("select 1 as id, 'mine' as \"Period_Tag\"");
  const kept = await mergeInputs([{ bytes: own }, { bytes: own }]);
  assert.equal(kept.result.hasConstants, false);
  const [rows] = await ask([kept.output], "from $0");
  assert.deepEqual(rows, new Map([['1,"mine"', 2]]));

  const other = await writeWithDuckDb("select 2 as id");
  const schema = schemaJson(
    unionSchema([own, other].map((bytes) => inspectParquetBytes(bytes).tree)),
  );
  const both = await mergeInputs([{ bytes: other }, { bytes: own }]);
  assert.deepEqual(both.result.rejected.map(({ id, apart }) => [id, apart]), [["f1", "schema"]]);
  await holdsRows(both.output, [other]);
  const united = await mergeInputs([{ bytes: own }, { bytes: other }], { schema });
  assert.deepEqual(united.result.rejected.map(({ id, apart }) => [id, apart]), [["f1", "schema"]]);
});

Deno.test("a file that lacks the columns which it should have been given is told to be broken", async () => {
  const file = await writeWithDuckDb("select 1 as a, 2 as b, 3 as c");
  const { result } = await mergeInputs([{ bytes: file, given: true }]);
  assert.deepEqual(result.rejected.map(({ error, apart }) => [error.code, apart]), [
    ["invalid_parquet", undefined],
  ]);
});

Deno.test("DuckDB answers bounds from statistics, and reads no row group of another value", async () => {
  const file = await writeWithDuckDb("select i from range(1000) t(i)");
  const { output } = await mergeInputs([{ bytes: file }]);
  const [bounds, none, some] = await ask(
    [output],
    "select min(dataset_id), max(period_tag), count(*) from $0",
    "select i from $0 where dataset_id = '00000000-0000-0000-0000-000000000000'",
    "select count(*) from $0 where period_tag = '007' and dataset_id = '" + dataset + "'",
  );
  assert.deepEqual([...bounds.keys()], [`"${dataset}","007",1000n`]);
  assert.equal(none.size, 0);
  assert.deepEqual([...some.keys()], ["1000n"]);
});

Deno.test("hyparquet reads the columns as texts", async () => {
  const file = await writeWithDuckDb("select i::int as i from range(3) t(i)");
  const { output } = await mergeInputs([{ bytes: file }], {
    target: { rowGroupBytes: 4 << 20, pageBytes: 1 << 20, codec: "snappy" },
  });
  const rows = await parquetReadObjects({ file: output.buffer });
  assert.deepEqual(rows, [0, 1, 2].map((i) => ({ i, dataset_id: dataset, period_tag: "007" })));
  const { schema } = await parquetMetadataAsync(output.buffer);
  assert.ok(schema.every(({ field_id }) => field_id === undefined));
});
