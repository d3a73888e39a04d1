/** Pages that end before their values do by the letter of Encodings.md, and that readers differ on. */
import { strict as assert } from "node:assert";
import { checkValues } from "../../../shared/parquet/inspect/check_values.ts";
import { joinGroups } from "../../../shared/parquet/merge/decode/joined_file.ts";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { encoding } from "../../../shared/parquet/format/metadata.ts";
import { readPageHeader } from "../../../shared/parquet/format/page_header.ts";
import { writePageHeader } from "../write_page_header.ts";
import { ThriftWriter } from "../../../shared/parquet/format/thrift/thrift_writer.ts";
import { rowsOfBytes, writeWithDuckDb } from "../sample_files.ts";
import { mergeBytes, paths } from "./merge_bytes.ts";

/** The file of one row group and column, uncompressed, with the body of its data page changed. */
function withPage(file: Uint8Array, valueEncoding: number, change: (body: Uint8Array) => number[]) {
  const { metadata } = footerOfBytes(file);
  const { numRows, columns: [{ metaData }] } = metadata.rowGroups[0];
  const { dataPageOffset, dictionaryPageOffset } = metaData!;
  const header = readPageHeader(file, dataPageOffset);
  assert.equal(header.encoding, valueEncoding);
  const at = dataPageOffset + header.headerLength;
  const body = change(file.subarray(at, at + header.compressedSize));
  const writer = new ThriftWriter();
  writePageHeader(writer, {
    ...header,
    compressedSize: body.length,
    uncompressedSize: body.length,
    crc: -1,
  });
  const start = dictionaryPageOffset || dataPageOffset;
  const dictionary = file.subarray(start, dataPageOffset);
  const chunk = {
    meta: {
      ...metaData!,
      dictionaryPageOffset: dictionary.length > 0 ? 4 : undefined,
      dataPageOffset: 4 + dictionary.length,
    },
    bytes: new Uint8Array([...dictionary, ...writer.view(), ...body]),
  };
  return joinGroups([{ numRows, chunks: [chunk] }], metadata);
}

Deno.test("indices of no width without any run are refused", async () => {
  const file = await writeWithDuckDb(
    "select 7::integer as i from range(20)",
    "format parquet, compression uncompressed",
  );
  // the width, and a run of 20 without a value
  const sound = withPage(file, encoding.PLAIN_DICTIONARY, (body) => [...body.slice(0, 6), 0, 40]);
  const bad = withPage(file, encoding.PLAIN_DICTIONARY, (body) => [...body.slice(0, 6), 0]);
  assert.deepEqual(await rowsOfBytes(sound), await rowsOfBytes(file));
  const refused = { code: "invalid_parquet" };
  await assert.rejects(checkValues(bad, inspectParquetBytes(bad)), refused);
  for (const [way, settings] of Object.entries(paths)) {
    const { result } = await mergeBytes([sound, bad, sound], 60, { settings });
    assert.deepEqual(result.merged, ["file0", "file2"], way);
    assert.deepEqual(result.rejected[0].error.extra, {
      file: "file1",
      row_group: 0,
      column: ["i"],
      page: 1,
    });
  }
});

Deno.test("deltas whose last miniblock is not filled up are merged, and never copied", async () => {
  const file = await writeWithDuckDb(
    "select (hash(i) % 1000 + i * 1000)::integer as i from range(20) t(i)",
    "format parquet, compression uncompressed, parquet_version v2, dictionary_size_limit 0",
  );
  const short = withPage(file, encoding.DELTA_BINARY_PACKED, (body) => {
    const used = body.findLastIndex((byte) => byte !== 0) + 1;
    assert.ok(used < body.length, "there is filling");
    return [...body.subarray(0, used)];
  });
  const expected = await rowsOfBytes(file, file, file);
  for (const [way, settings] of Object.entries(paths)) {
    const { result, output } = await mergeBytes([file, short, file], 60, {
      settings,
    });
    assert.deepEqual(result.rejected, [], way);
    assert.deepEqual(await rowsOfBytes(output), expected, way);
  }
});
