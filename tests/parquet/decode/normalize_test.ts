import { strict as assert } from "node:assert";
import { assumeHostLimits } from "../../support/host_limits.ts";
import { SedimentError } from "../../../shared/errors.ts";
import { chunkExtent } from "../../../shared/parquet/inspect/check_chunks.ts";
import { joinGroups } from "../../../shared/parquet/merge/decode/joined_file.ts";
import { normalizer } from "../../../shared/parquet/merge/decode/normalize.ts";
import { SetApart } from "../../../shared/parquet/merge/union/set_apart.ts";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { codec } from "../../../shared/parquet/format/metadata.ts";
import { bytesReader } from "../../../shared/parquet/format/range_reader.ts";
import { fixtureBytes, fixtureNames } from "../fixtures.ts";
import { mixedRows, rowsOfBytes, writeWithDuckDb } from "../sample_files.ts";

async function normalized(bytes: Uint8Array): Promise<Uint8Array> {
  const reader = await normalizer()("file", bytesReader(bytes));
  return await reader.read(0, reader.size);
}

Deno.test("a normalised file has the schema, the row groups and the rows of the file", async () => {
  const file = await writeWithDuckDb(mixedRows(0, 5000), "format parquet, row_group_size 2048");
  const output = await normalized(file);
  const [before, after] = [inspectParquetBytes(file), inspectParquetBytes(output)];
  assert.deepEqual(after.schema, before.schema);
  assert.equal(after.rowGroupCount, before.rowGroupCount);
  assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(file));
});

Deno.test({
  name: "pages of every fixture that DuckDB reads are decoded to the same rows and types",
  ignore: fixtureNames().length === 0,
  fn: async () => {
    // DuckDB reads neither BYTE_STREAM_SPLIT of integers nor the Hadoop framing of LZ4
    const others = ["byte_stream_split_extended.gzip.parquet", "hadoop_lz4_compressed.parquet"];
    for (const name of fixtureNames()) {
      const bytes = fixtureBytes(name);
      const output = await normalized(bytes);
      assert.deepEqual(inspectParquetBytes(output).schema, inspectParquetBytes(bytes).schema, name);
      if (others.includes(name)) continue;
      assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(bytes), name);
    }
  },
});

Deno.test("of a file in several codecs only the column chunks are decoded that the host can't unpack", async () => {
  const query = "select i, md5(i::varchar) as s from range(500) t(i)";
  const [brotli, snappy] = await Promise.all(
    ["brotli", "snappy"].map((codec) =>
      writeWithDuckDb(query, `format parquet, compression ${codec}`)
    ),
  );
  const chunkOf = (file: Uint8Array, column: number) => {
    const meta = footerOfBytes(file).metadata.rowGroups[0].columns[column].metaData!;
    const { start, length } = chunkExtent(meta);
    return { meta, bytes: file.subarray(start, start + length) };
  };
  const chunks = [chunkOf(snappy, 0), chunkOf(brotli, 1)];
  const mixed = joinGroups([{ numRows: 500, chunks }], footerOfBytes(snappy).metadata);
  using _host = assumeHostLimits({ gzip: true, brotli: false });
  const output = await normalized(mixed);
  assert.deepEqual(chunkOf(output, 0).bytes, chunks[0].bytes);
  assert.equal(chunkOf(output, 1).meta.codec, codec.SNAPPY);
  assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(snappy));
});

Deno.test("a file whose pages can't be decoded is refused with its name, row group and column", async () => {
  const file = await writeWithDuckDb("select i from range(3000) t(i)");
  const { footer } = inspectParquetBytes(file);
  const { metaData } = footer.metadata.rowGroups[0].columns[0];
  file.fill(0xff, metaData!.dataPageOffset + 30, metaData!.dataPageOffset + 90);
  await assert.rejects(normalized(file), (error) => {
    assert.ok(error instanceof SedimentError && error.code === "invalid_parquet");
    assert.deepEqual(error.extra, { file: "file", row_group: 0, column: ["i"] });
    return true;
  });
});

Deno.test("a file too large to be decoded is set apart before it is read", async () => {
  const file = await writeWithDuckDb(
    "select md5(i::varchar) || md5((i + 1)::varchar) || md5((i + 2)::varchar) as s from range(600000) t(i)",
    "format parquet, row_group_size 700000",
  );
  let read = 0;
  const reader = bytesReader(file);
  const counted = {
    size: reader.size,
    read(start: number, length: number) {
      read += length;
      return reader.read(start, length);
    },
  };
  await assert.rejects(
    normalizer()("file", counted),
    (error) => error instanceof SetApart && error.kind === "memory",
  );
  assert.ok(read < 100_000);
});
