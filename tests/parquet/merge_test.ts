import { strict as assert } from "node:assert";
import { SedimentError } from "../../shared/errors.ts";
import { footerOfBytes } from "../../shared/parquet/format/footer.ts";
import { inspectParquetBytes } from "../../shared/parquet/inspect/inspect.ts";
import { merge, type MergeOptions } from "../../shared/parquet/merge/merge.ts";
import type { MergeTarget } from "../../shared/parquet/format/merge_target.ts";
import type { MergeResult } from "../../shared/parquet/merge/merge_plan.ts";
import { codec } from "../../shared/parquet/format/metadata.ts";
import { bytesReader, type RangeReader } from "../../shared/parquet/format/range_reader.ts";
import { schemaJson } from "../../shared/parquet/format/schema_json.ts";
import { unionSchema } from "../../shared/parquet/merge/union/union_schema.ts";
import { MemorySink } from "./memory_sink.ts";
import { mixedRows, rowsOfBytes, writeWithDuckDb } from "./sample_files.ts";
import { withFooter } from "./with_footer.ts";

const target: MergeTarget = { rowGroupBytes: 4 << 20, pageBytes: 1 << 20, codec: "snappy" };

async function mergeFiles(
  files: (Uint8Array | RangeReader)[],
  expectedRows: number,
  some: Partial<MergeTarget> = {},
  options?: MergeOptions,
): Promise<{ result: MergeResult; output: Uint8Array<ArrayBuffer> }> {
  const readers = files.map((file) => file instanceof Uint8Array ? bytesReader(file) : file);
  const sink = new MemorySink();
  const result = await merge(
    {
      inputs: files.map((_, i) => ({ id: `f${i}`, level: 0 })),
      target: { ...target, ...some },
      expectedRows,
    },
    new Map(readers.map((reader, i) => [`f${i}`, reader])),
    sink,
    options,
  );
  return { result, output: sink.bytes() };
}

Deno.test("fragments of all common types become one row group with the same rows", async () => {
  const files = [];
  for (let i = 0; i < 12; i++) files.push(await writeWithDuckDb(mixedRows(i * 40, 40)));
  const { result, output } = await mergeFiles(files, 480);
  assert.deepEqual(result.merged, files.map((_, i) => `f${i}`));
  assert.equal(result.rowGroupCount, 1);
  assert.equal(result.byteLength, output.length);
  assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(...files));
  const facts = inspectParquetBytes(output);
  assert.equal(facts.schemaFingerprint, result.schemaFingerprint);
  assert.equal(facts.schemaFingerprint, inspectParquetBytes(files[0]).schemaFingerprint);
  assert.deepEqual(facts.stats, result.stats);
  assert.deepEqual(result.stats.id, { min: 0, max: 479, nulls: 0 });
});

Deno.test("rows come in the order of the plan", async () => {
  const files = [];
  for (const from of [300, 0, 100]) {
    files.push(await writeWithDuckDb(`select i as id from range(${from}, ${from + 50}) t(i)`));
  }
  const { output } = await mergeFiles(files, 150);
  const ids = [...(await rowsOfBytes(output)).keys()];
  assert.deepEqual([ids[0], ids[49], ids[50], ids[149]], ["300n", "349n", "0n", "149n"]);
});

Deno.test("row groups are closed at the target's bytes, and zstd is written when it is asked for", async () => {
  const files = [];
  for (let i = 0; i < 6; i++) files.push(await writeWithDuckDb(mixedRows(i * 500, 500)));
  const { result, output } = await mergeFiles(files, 3000, {
    rowGroupBytes: 100_000,
    codec: "zstd",
  });
  assert.ok(result.rowGroupCount > 1 && result.rowGroupCount < 6);
  for (const group of footerOfBytes(output).metadata.rowGroups) {
    // chunks that do not shrink are left as they are
    const codecs = new Set(group.columns.map((chunk) => chunk.metaData!.codec));
    assert.deepEqual([...codecs].sort(), [codec.UNCOMPRESSED, codec.ZSTD]);
  }
  assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(...files));
});

/** A file whose pages can't be decompressed while every header of it is right. */
async function brokenInside(): Promise<Uint8Array> {
  const file = await writeWithDuckDb(mixedRows(0, 60));
  const { metadata } = footerOfBytes(file);
  for (const { metaData } of metadata.rowGroups[0].columns) {
    const end = metaData!.dataPageOffset + 40;
    file.fill(
      0xff,
      end,
      Math.min(end + 60, metaData!.dataPageOffset + metaData!.totalCompressedSize),
    );
    break;
  }
  inspectParquetBytes(file);
  return file;
}

Deno.test("an input with broken pages is left out whole and the others are merged", async () => {
  const good = [await writeWithDuckDb(mixedRows(0, 60)), await writeWithDuckDb(mixedRows(60, 60))];
  const { result, output } = await mergeFiles([good[0], await brokenInside(), good[1]], 180);
  assert.deepEqual(result.merged, ["f0", "f2"]);
  assert.deepEqual(result.rejected.map(({ id, error }) => [id, error.code]), [
    ["f1", "invalid_parquet"],
  ]);
  assert.match(result.rejected[0].error.message, /^file f1/);
  assert.equal(result.rowCount, 120);
  assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(...good));
});

Deno.test("inputs that are no Parquet, truncated or of another schema are rejected by code", async () => {
  const good = await writeWithDuckDb("select 1::int as a, 'x' as b");
  const other = await writeWithDuckDb("select 1::bigint as a, 'x' as b");
  const { result, output } = await mergeFiles(
    [new Uint8Array(), good, new Uint8Array(100), good.subarray(0, 80), other, good],
    6,
  );
  assert.deepEqual(result.rejected.map(({ id, error }) => [id, error.code]), [
    ["f0", "not_parquet"],
    ["f2", "not_parquet"],
    ["f3", "invalid_parquet"],
    ["f4", "schema_incompatible"],
  ]);
  assert.match(result.rejected[3].error.message, /"a":INT64\?,"b":STRING\?/);
  assert.match(result.rejected[3].error.expected!, /"a":INT32\?,"b":STRING\?/);
  assert.deepEqual(result.merged, ["f1", "f5"]);
  assert.deepEqual(await rowsOfBytes(output), new Map([['1,"x"', 2]]));
});

Deno.test("when all inputs are rejected nothing is written", async () => {
  const { result, output } = await mergeFiles([new Uint8Array(50), await brokenInside()], 60);
  assert.equal(output.length, 0);
  assert.equal(result.byteLength, 0);
  assert.deepEqual(result.merged, []);
  assert.equal(result.rejected.length, 2);
});

Deno.test("inputs without rows make a file without rows", async () => {
  const empty = await writeWithDuckDb("select 1 as a where false");
  const { result, output } = await mergeFiles([empty, empty], 0);
  assert.deepEqual(result.merged, ["f0", "f1"]);
  assert.deepEqual(await rowsOfBytes(output), new Map());
});

Deno.test("another count of rows than the plan's is an error", async () => {
  const file = await writeWithDuckDb("select 1 as a");
  await assert.rejects(
    mergeFiles([file, file], 3),
    (error) => error instanceof SedimentError && error.code === "merge_rows_differ",
  );
});

Deno.test("a reader that fails stops the merge, since it says nothing of the input", async () => {
  const file = await writeWithDuckDb("select 1 as a");
  const failing: RangeReader = {
    size: file.length,
    read: () => Promise.reject(new SedimentError("store_failed", "the store is away")),
  };
  await assert.rejects(
    mergeFiles([file, failing], 2),
    (error) => error instanceof SedimentError && error.code === "store_failed",
  );
});

Deno.test("a merge that is aborted says so", async () => {
  const file = await writeWithDuckDb("select 1 as a");
  const abort = new AbortController();
  abort.abort();
  await assert.rejects(
    mergeFiles([file], 1, {}, { signal: abort.signal }),
    (error) => error instanceof SedimentError && error.code === "aborted",
  );
});

Deno.test("a file too large for one batch is read by ranges and merged with small ones", async () => {
  const large = await writeWithDuckDb(
    `select hash(i)::ubigint as h, hash(i + 1)::varchar || 'abcdefgh' as s,
      case when i % 3 = 0 then null else [i, i + 1] end as l from range(900000) t(i)`,
    "format parquet, row_group_size 122880",
  );
  const small = await writeWithDuckDb(
    `select hash(i)::ubigint as h, 'small' as s, [i, null] as l from range(10) t(i)`,
  );
  const longest: number[] = [];
  const reader = bytesReader(large);
  const ranged: RangeReader = {
    size: reader.size,
    read(start, length, signal) {
      longest.push(length);
      return reader.read(start, length, signal);
    },
  };
  const { result, output } = await mergeFiles([small, ranged, small], 900_020);
  assert.equal(result.rowCount, 900_020);
  assert.ok(Math.max(...longest) < large.length / 4);
  const [ours, theirs] = await Promise.all([
    rowsOfBytesDigest(output),
    rowsOfBytesDigest(small, large, small),
  ]);
  assert.deepEqual(ours, theirs);
});

/** Count and order-free digests of many rows, for files too large for a multiset in memory. */
async function rowsOfBytesDigest(...files: Uint8Array[]): Promise<string[]> {
  const { openDuckDb, rowsOf } = await import("./duckdb_rows.ts");
  const folder = await Deno.makeTempDir();
  const { connection, close } = await openDuckDb();
  try {
    for (const [i, file] of files.entries()) await Deno.writeFile(`${folder}/${i}.parquet`, file);
    const sql = `select count(*), sum(hash(t)::hugeint), sum(hash(t::varchar || 'z')::hugeint)
      from read_parquet('${folder}/*.parquet') t`;
    return [...(await rowsOf(connection, sql)).keys()];
  } finally {
    close();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("metadata about the schema is kept when all agree on it, without what is of one file", async () => {
  const file = await writeWithDuckDb("select 1 as a, 'x'::blob as g");
  const withKeys = (pairs: Record<string, string>) =>
    withFooter(file, (metadata) => {
      metadata.keyValues = Object.entries(pairs).map(([key, value]) => ({ key, value }));
    });
  const pandas = (stop: number) =>
    JSON.stringify({ index_columns: [{ kind: "range", start: 0, stop, step: 1 }], columns: [] });
  const geo = (bbox: number[]) =>
    JSON.stringify({ version: "1.1.0", primary_column: "g", columns: { g: { bbox } } });
  const { output } = await mergeFiles([
    withKeys({ pandas: pandas(5), geo: geo([1, 2, 3, 4]), "avro.schema": "{1}", job: "7" }),
    withKeys({ pandas: pandas(9), geo: geo([0, 2, 5, 3]), "avro.schema": "{2}", job: "7" }),
  ], 2);
  assert.deepEqual(footerOfBytes(output).metadata.keyValues, [
    { key: "pandas", value: JSON.stringify({ index_columns: [], columns: [] }) },
    {
      key: "geo",
      value: JSON.stringify({
        version: "1.1.0",
        primary_column: "g",
        columns: { g: { geometry_types: [], bbox: [0, 2, 5, 4] } },
      }),
    },
  ]);
});

Deno.test("bounds of unsigned and decimal columns hold in the order of their type", async () => {
  const file = await writeWithDuckDb(
    `select * from (values (4294967295::uinteger, -1::decimal(30, 2)), (1, 12.5)) t(u, d)`,
  );
  const { output } = await mergeFiles([file, file], 4);
  const [u, d] = footerOfBytes(output).metadata.rowGroups[0].columns
    .map((chunk) => chunk.metaData!.statistics!);
  assert.deepEqual([[...u.minValue!], [...u.maxValue!]], [[1, 0, 0, 0], [255, 255, 255, 255]]);
  const signed = (bytes: Uint8Array) => new DataView(bytes.slice(-4).buffer).getInt32(0);
  assert.deepEqual([signed(d.minValue!), signed(d.maxValue!)], [-100, 1250]);
});

Deno.test("a file with one text that is not UTF-8 is left out, in a dictionary and in PLAIN pages", async () => {
  const queries = [
    "select case when i = 5 then 'a€b' else 'x' || (i % 3) end as s from range(100) t(i)",
    "select 'text ' || i || case when i = 77 then '€' else '' end as s from range(3000) t(i)",
  ];
  for (const query of queries) {
    const good = await writeWithDuckDb(query, "format parquet, compression uncompressed");
    const euro = new TextEncoder().encode("€").join();
    const broken = good.slice();
    for (let i = 0; i < broken.length; i++) {
      if (broken.subarray(i, i + 3).join() === euro) broken[i + 1] = 0x20;
    }
    const rows = inspectParquetBytes(good).rowCount;
    const { result, output } = await mergeFiles([good, broken], 2 * rows);
    assert.deepEqual(result.merged, ["f0"]);
    assert.deepEqual(result.rejected.map(({ error }) => error.code), ["invalid_parquet"]);
    assert.match(result.rejected[0].error.message, /^file f1: row group 0: column s, page 0: text/);
    assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(good));
  }
});

Deno.test("decimals with more digits than their precision leave no bounds that DuckDB fails at", async () => {
  const file = withFooter(
    await writeWithDuckDb("select i as d from (values (-1::bigint), (123456)) t(i)"),
    ({ schema }) =>
      Object.assign(schema[1], {
        convertedType: 5,
        scale: 2,
        precision: 4,
        logicalType: { kind: "DECIMAL", scale: 2, precision: 4 },
      }),
  );
  const { output } = await mergeFiles([file], 2);
  const { statistics } = footerOfBytes(output).metadata.rowGroups[0].columns[0].metaData!;
  assert.equal(statistics?.minValue, undefined);
  assert.equal(statistics?.nullCount, 0);
});

Deno.test("a plan's schema is what is written, and files fill it by name", async () => {
  const [one, two] = [
    await writeWithDuckDb("select 1::int as a"),
    await writeWithDuckDb("select 'x' as b, 2::bigint as a"),
  ];
  const schema = schemaJson(unionSchema([one, two].map((file) => inspectParquetBytes(file).tree)));
  const sink = new MemorySink();
  const result = await merge(
    { inputs: [{ id: "1", level: 0 }, { id: "2", level: 0 }], target, schema, expectedRows: 2 },
    new Map([["1", bytesReader(one)], ["2", bytesReader(two)]]),
    sink,
  );
  assert.deepEqual(result.rejected, []);
  assert.deepEqual(result.schema, schema);
  assert.deepEqual([...(await rowsOfBytes(sink.bytes())).keys()], ["1n,null", '2n,"x"']);
});
