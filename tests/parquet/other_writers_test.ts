/** What other writers get wrong, or do otherwise, and nothing relies on: taken, merged, and right. */
import { strict as assert } from "node:assert";
import { footerBytes, footerOfBytes } from "../../shared/parquet/format/footer.ts";
import { pageType } from "../../shared/parquet/format/metadata.ts";
import { type PageHeader } from "../../shared/parquet/format/page_header.ts";
import { writePageHeader } from "./write_page_header.ts";
import { ThriftWriter } from "../../shared/parquet/format/thrift/thrift_writer.ts";
import { checkValues } from "../../shared/parquet/inspect/check_values.ts";
import { inspectParquetBytes } from "../../shared/parquet/inspect/inspect.ts";
import { joinGroups } from "../../shared/parquet/merge/decode/joined_file.ts";
import { compatibleGroups } from "../../shared/parquet/merge/union/union_schema.ts";
import { mergeBytes, type PathName, paths } from "./core/merge_bytes.ts";
import { rowsOfBytes, writeWithDuckDb } from "./sample_files.ts";
import { withFooter } from "./with_footer.ts";

/** The upload takes the file, and merged with a sound one on every path it has the sound one's rows. */
async function isTakenAs(file: Uint8Array, sound: Uint8Array): Promise<Uint8Array> {
  assert.ok(await checkValues(file, inspectParquetBytes(file)));
  const expected = await rowsOfBytes(sound, sound);
  let last = sound;
  for (const way of Object.keys(paths) as PathName[]) {
    const { rowCount } = inspectParquetBytes(file);
    const { result, output } = await mergeBytes([file, file], 2 * rowCount, {
      settings: paths[way],
    });
    assert.deepEqual(result.rejected, [], way);
    assert.deepEqual(await rowsOfBytes(output), expected, way);
    last = output;
  }
  return last;
}

/** A file of one list column, `[[1, null, 3], null, [], [5]]`, in one V2 page whose header says so. */
async function v2File(counts: Partial<PageHeader>): Promise<Uint8Array> {
  const file = await writeWithDuckDb(
    "select l::integer[] as l from (values ([1, null, 3]), (null), ([]), ([5])) t(l)",
    "format parquet, compression uncompressed, dictionary_size_limit 0",
  );
  const { metadata } = footerOfBytes(file);
  const run = (levels: number[]) => levels.flatMap((level) => [2, level]);
  const repetitions = run([0, 1, 1, 0, 0, 0]), definitions = run([3, 2, 3, 0, 1, 3]);
  const values = [...new Uint8Array(Int32Array.of(1, 3, 5).buffer)];
  const body = [...repetitions, ...definitions, ...values];
  const writer = new ThriftWriter();
  writePageHeader(writer, {
    type: pageType.DATA_PAGE_V2,
    uncompressedSize: body.length,
    compressedSize: body.length,
    crc: -1,
    numValues: 6,
    encoding: 0,
    definitionLevelEncoding: 3,
    repetitionLevelEncoding: 3,
    numNulls: 3,
    numRows: 4,
    definitionLevelsLength: definitions.length,
    repetitionLevelsLength: repetitions.length,
    isCompressed: false,
    isSorted: false,
    headerLength: 0,
    ...counts,
  });
  const bytes = new Uint8Array([...writer.view(), ...body]);
  const meta = {
    ...metadata.rowGroups[0].columns[0].metaData!,
    numValues: 6,
    dataPageOffset: 4,
    dictionaryPageOffset: undefined,
    totalUncompressedSize: bytes.length,
  };
  return joinGroups([{ numRows: 4, chunks: [{ meta, bytes }] }], metadata);
}

for (
  const [writer, counts] of [
    ["Arrow 8 to 10, which put the values of a list for its rows", { numRows: 6 }],
    ["parquet-java, which puts -1 nulls where it keeps no statistics", { numNulls: -1 }],
    ["one that counts empty lists for no nulls", { numNulls: 1, numRows: 0 }],
  ] as [string, Partial<PageHeader>][]
) {
  Deno.test(`the levels tell rows and nulls of a V2 page of ${writer}`, async () => {
    const output = await isTakenAs(await v2File(counts), await v2File({}));
    // a header that readers may believe is not copied
    const header = footerOfBytes(output).metadata.rowGroups[0].columns[0].metaData!;
    assert.deepEqual(header.encodingStats!.map((stats) => stats.pageType), [pageType.DATA_PAGE]);
  });
}

Deno.test("a V2 page whose counts are right is copied", async () => {
  const { output } = await mergeBytes([await v2File({})], 4, { settings: paths.copied });
  const { encodingStats } = footerOfBytes(output).metadata.rowGroups[0].columns[0].metaData!;
  assert.deepEqual(encodingStats!.map((stats) => stats.pageType), [pageType.DATA_PAGE_V2]);
});

/** The file with bytes of Thrift put before the stop of its footer. */
function extended(file: Uint8Array, fields: number[]): Uint8Array {
  const { metadata, start } = footerOfBytes(file);
  const footer = footerBytes(metadata);
  const length = footer.length - 8;
  const end = new Uint8Array(length + fields.length + 8);
  end.set(footer.subarray(0, length - 1));
  end.set(fields, length - 1);
  new DataView(end.buffer).setUint32(length + fields.length, length + fields.length, true);
  end.set(footer.subarray(length + 4), length + fields.length + 4);
  const result = new Uint8Array(start + end.length);
  result.set(file.subarray(0, start));
  result.set(end, start);
  return result;
}

const sample = () => writeWithDuckDb("select i as a, 'v' || i as s from range(50) t(i)");

Deno.test("a footer with parquet-format's extension, and one with an optional field of another type, are taken", async () => {
  const file = await sample();
  // field 32767 of bytes, as BinaryProtocolExtensions.md has it
  await isTakenAs(extended(file, [0x08, 0xff, 0xff, 0x01, 3, 1, 2, 3]), file);
  const plain = withFooter(file, (metadata) => {
    metadata.createdBy = undefined;
    metadata.columnOrders = undefined;
  });
  // created_by as an i32, behind the row groups' field 4
  const last = footerOfBytes(plain).metadata.keyValues === undefined ? 2 : 1;
  await isTakenAs(extended(plain, [(last << 4) | 5, 14]), file);
});

Deno.test("a root with a type is a group all the same", async () => {
  const file = await sample();
  const typed = withFooter(file, ({ schema }) => schema[0].type = 6);
  await isTakenAs(typed, file);
});

Deno.test("a logical type that is not known is kept with its bytes, and stays apart from others", async () => {
  const file = await writeWithDuckDb("select 'x'::blob as b, 1 as n");
  const as = (id: number, member: string) =>
    withFooter(file, ({ schema }) => schema[1].logicalType = { kind: "OTHER", id, member });
  const odd = as(99, "150a00");
  const output = await isTakenAs(odd, file);
  assert.deepEqual(footerOfBytes(output).metadata.schema[1].logicalType, {
    kind: "OTHER",
    id: 99,
    member: "150a00",
  });
  const trees = [odd, as(99, "00"), as(98, "150a00"), file]
    .map((bytes) => inspectParquetBytes(bytes).tree);
  assert.equal(compatibleGroups(trees).length, 4);
});

Deno.test("UNKNOWN beside INTERVAL, as parquet-java wrote it, is an interval that keeps both", async () => {
  const file = await writeWithDuckDb("select interval (i) day as x from range(9) t(i)");
  const both = withFooter(file, ({ schema }) => schema[1].logicalType = { kind: "UNKNOWN" });
  // DuckDB reads nulls from it, before and after
  const output = await isTakenAs(both, both);
  const { logicalType, convertedType } = footerOfBytes(output).metadata.schema[1];
  assert.deepEqual([logicalType, convertedType], [{ kind: "UNKNOWN" }, 21]);
  const values = withFooter(output, ({ schema }) => schema[1].logicalType = undefined);
  assert.deepEqual(await rowsOfBytes(values), await rowsOfBytes(file, file), "no value is lost");
  const trees = [both, file].map((bytes) => inspectParquetBytes(bytes).tree);
  assert.equal(compatibleGroups(trees).length, 2);
});

Deno.test("UNKNOWN beside MAP_KEY_VALUE is the map's entries", async () => {
  const file = await writeWithDuckDb("select map(['a', 'b'], [i, null]) as m from range(9) t(i)");
  const both = withFooter(file, ({ schema }) => {
    Object.assign(schema[2], { logicalType: { kind: "UNKNOWN" }, convertedType: 2 });
  });
  await isTakenAs(both, file);
});

Deno.test("what an output would not be taken with as an upload is never written as one", async () => {
  const file = await sample();
  const limits = { columnChunks: 3 };
  const twoGroups = { ...paths.copied, wholeFileBytes: 0 };
  await assert.rejects(
    () => mergeBytes([file, file], 100, { settings: twoGroups, limits }),
    { code: "output_refused" },
  );
  const { result } = await mergeBytes([file, file], 100, { limits });
  assert.equal(result.rowGroupCount, 1);
});

Deno.test("an output of more column chunks than an upload may have is refused before it is committed", async () => {
  // 9 columns × 8,000 row groups of one row: 72,000 chunks, and an upload has 65,536 at most
  const columns = Array.from({ length: 9 }, (_, c) => `range + ${c} as c${c}`);
  const file = await writeWithDuckDb(`select ${columns.join(", ")} from range(4000)`);
  const settings = { rowGroupRows: 1, wholeFileBytes: 0 };
  const groupEach = { ...settings, mergeGroupBytes: 0, healthyBytes: Number.MAX_SAFE_INTEGER };
  await assert.rejects(
    () => mergeBytes([file, file], 8000, { settings: groupEach }),
    { code: "output_refused", message: /72000 column chunks, over 65536/ },
  );
});
