/** Pages of nothing but nulls: nothing of their values is used, and readers look at it all the same. */
import { strict as assert } from "node:assert";
import { checkValues } from "../../../shared/parquet/inspect/check_values.ts";
import { chunkExtent } from "../../../shared/parquet/inspect/check_chunks.ts";
import { joinGroups } from "../../../shared/parquet/merge/decode/joined_file.ts";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { encoding } from "../../../shared/parquet/format/metadata.ts";
import { type PageHeader, readPageHeader } from "../../../shared/parquet/format/page_header.ts";
import { writePageHeader } from "../write_page_header.ts";
import { ThriftWriter } from "../../../shared/parquet/format/thrift/thrift_writer.ts";
import { rowsOfBytes, writeWithDuckDb } from "../sample_files.ts";
import { mergeBytes, paths } from "./merge_bytes.ts";

/** A file of 20 nulls whose one page has the header changed, and behind the levels `values`. */
async function nulls(change: Partial<PageHeader>, values: number[]): Promise<Uint8Array> {
  const file = await writeWithDuckDb(
    "select null::integer as i from range(20)",
    "format parquet, compression uncompressed",
  );
  const { metadata } = footerOfBytes(file);
  const meta = metadata.rowGroups[0].columns[0].metaData!;
  const { start, length } = chunkExtent(meta);
  let at = start, header = readPageHeader(file, at);
  while (header.type !== 0) {
    at += header.headerLength + header.compressedSize;
    header = readPageHeader(file, at);
  }
  assert.ok(at + header.headerLength + header.compressedSize === start + length);
  // 4 bytes of length, one run of 20 zeros
  const levels = [2, 0, 0, 0, 40, 0];
  const body = [...levels, ...values];
  const writer = new ThriftWriter();
  writePageHeader(writer, {
    ...header,
    compressedSize: body.length,
    uncompressedSize: body.length,
    encoding: encoding.PLAIN,
    ...change,
  });
  const bytes = new Uint8Array([...writer.view(), ...body]);
  const chunk = {
    meta: {
      ...meta,
      dataPageOffset: 4,
      dictionaryPageOffset: undefined,
      totalUncompressedSize: bytes.length,
    },
    bytes,
  };
  return joinGroups([{ numRows: 20, chunks: [chunk] }], metadata);
}

const delta = [0x80, 1, 4, 0, 0];

const foreign = { encoding: encoding.DELTA_BYTE_ARRAY };

const broken: [string, Partial<PageHeader>, number[]][] = [
  ["dictionary indices without a dictionary", { encoding: encoding.RLE_DICTIONARY }, [0]],
  ["deltas without a header", { encoding: encoding.DELTA_BINARY_PACKED }, []],
  ["deltas in miniblocks of 8", { encoding: encoding.DELTA_BINARY_PACKED }, [32, 4, 0, 0]],
  ["an encoding of texts", foreign, [...delta, ...delta]],
  ["an encoding that is none", { encoding: 1 }, []],
  ["repetition levels in an encoding that is none", { repetitionLevelEncoding: -1 }, []],
];
for (const [what, change, values] of broken) {
  Deno.test(`a page of nulls with ${what} is refused at upload and in every merge`, async () => {
    const file = await nulls(change, values);
    await assert.rejects(async () => await checkValues(file, inspectParquetBytes(file)));
    for (const settings of Object.values(paths)) {
      const { result } = await mergeBytes([file], 20, { settings });
      assert.equal(result.rejected.length, 1);
      assert.equal(result.rejected[0].error.status, 422);
    }
    if (change !== foreign) await assert.rejects(rowsOfBytes(file));
  });
}

Deno.test("pages of nulls that have what their encoding begins with are merged", async () => {
  for (
    const file of [
      await nulls({}, []),
      await nulls({ encoding: encoding.DELTA_BINARY_PACKED }, delta),
    ]
  ) {
    assert.equal(await checkValues(file, inspectParquetBytes(file)), true);
    for (const settings of Object.values(paths)) {
      const { result, output } = await mergeBytes([file], 20, { settings });
      assert.deepEqual(result.rejected, []);
      assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(file));
    }
  }
});

Deno.test("indices of no width whose runs end before the values do are refused", async () => {
  const file = await writeWithDuckDb(
    "select 7::integer as i from range(20)",
    "format parquet, compression uncompressed",
  );
  const { metadata } = footerOfBytes(file);
  const { dataPageOffset } = metadata.rowGroups[0].columns[0].metaData!;
  const header = readPageHeader(file, dataPageOffset);
  const body = dataPageOffset + header.headerLength;
  // levels {length 2, 20 ones}, then the width 1 and one run of 20 zeros
  assert.deepEqual([...file.subarray(body, body + header.compressedSize)], [
    ...[2, 0, 0, 0, 40, 1],
    ...[1, 40, 0],
  ]);
  for (
    const [run, fine] of [[40, true], [42, true], [7, true], [5, false], [38, false], [
      0,
      false,
    ]] as const
  ) {
    const changed = file.slice();
    changed[body + 6] = 0;
    changed[body + 7] = run;
    for (const settings of Object.values(paths)) {
      const { result } = await mergeBytes([changed], 20, { settings });
      assert.deepEqual(
        result.rejected.map(({ error }) => error.code),
        fine ? [] : ["invalid_parquet"],
      );
    }
    // of the others DuckDB mostly says so: it takes what lies behind the page in memory for further runs
    if (fine) await rowsOfBytes(changed);
  }
});
