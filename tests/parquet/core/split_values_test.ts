/** BYTE_STREAM_SPLIT pages whose levels tell of another count of values than their bytes. */
import { strict as assert } from "node:assert";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import { readPageHeader } from "../../../shared/parquet/format/page_header.ts";
import { ThriftWriter } from "../../../shared/parquet/format/thrift/thrift_writer.ts";
import { joinGroups } from "../../../shared/parquet/merge/decode/joined_file.ts";
import { rowsOfBytes, writeWithDuckDb } from "../sample_files.ts";
import { writePageHeader } from "../write_page_header.ts";
import { mergeBytes } from "./merge_bytes.ts";

/** Bytes of values side by side: the first ones of all, then the second ones. */
function split(values: number[]): number[] {
  const bytes = new Uint8Array(Float32Array.from(values).buffer);
  return [0, 1, 2, 3].flatMap((place) => values.map((_, i) => bytes[4 * i + place]));
}

/** A file of one column of floats, in which the first `present` of five rows are no null. */
async function fileOf(present: number, values: number[]): Promise<Uint8Array> {
  const file = await writeWithDuckDb(
    "select null::float as x",
    "format parquet, compression uncompressed, dictionary_size_limit 0",
  );
  const { metadata } = footerOfBytes(file);
  const meta = metadata.rowGroups[0].columns[0].metaData!;
  const levels = [2 * present, 1, 2 * (5 - present), 0];
  const body = [levels.length, 0, 0, 0, ...levels, ...values];
  const writer = new ThriftWriter();
  writePageHeader(writer, {
    ...readPageHeader(file, meta.dataPageOffset),
    encoding: 9,
    numValues: 5,
    compressedSize: body.length,
    uncompressedSize: body.length,
  });
  const chunk = {
    meta: {
      ...meta,
      numValues: 5,
      dictionaryPageOffset: undefined,
      dataPageOffset: 4,
      encodings: [9, 3],
      statistics: undefined,
    },
    bytes: new Uint8Array([...writer.view(), ...body]),
  };
  return joinGroups([{ numRows: 5, chunks: [chunk] }], metadata);
}

Deno.test("of a page with more values than its levels tell of, the first ones are taken, as by DuckDB", async () => {
  for (const present of [1, 2, 3]) {
    const file = await fileOf(present, split([1.5, -2.25, 3e7]));
    const { result, output } = await mergeBytes([file], 5);
    assert.deepEqual(result.rejected, []);
    assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(file));
  }
});

Deno.test("a page whose streams are not of one length, or too short, is refused", async () => {
  for (const bytes of [[...split([1, 2, 3]), 0], split([1, 2])]) {
    const { result } = await mergeBytes([await fileOf(3, bytes)], 5);
    assert.deepEqual(result.rejected.map(({ error }) => error.code), ["invalid_parquet"]);
  }
});
