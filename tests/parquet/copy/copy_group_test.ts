import { parquetWriteBuffer } from "hyparquet-writer";
import { strict as assert } from "node:assert";
import { crc32, gzipSync } from "node:zlib";
import { readParquet, writeParquet } from "parquet-wasm/node";
import { chunkExtent } from "../../../shared/parquet/inspect/check_chunks.ts";
import { joinGroups } from "../../../shared/parquet/merge/decode/joined_file.ts";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import { encoding } from "../../../shared/parquet/format/metadata.ts";
import { readPageHeader } from "../../../shared/parquet/format/page_header.ts";
import { writePageHeader } from "../write_page_header.ts";
import { ThriftWriter } from "../../../shared/parquet/format/thrift/thrift_writer.ts";
import { mergeBytes } from "../core/merge_bytes.ts";
import { copied } from "./copied.ts";
import { openDuckDb, rowsOf } from "../duckdb_rows.ts";
import { rowsOfBytes, writeWithDuckDb } from "../sample_files.ts";
import { withFooter } from "../with_footer.ts";

const chunkOf = (file: Uint8Array) => footerOfBytes(file).metadata.rowGroups[0].columns[0];

const floats = "select case when i = 7 then 'nan'::double else i / 8 end as x, i as n " +
  "from range(20) t(i)";

for (const writer of ["parquet-wasm", "DuckDB", "ours"]) {
  Deno.test(`DuckDB finds a NaN by an order in a group of ${writer} that was copied`, async () => {
    const first = await writeWithDuckDb(floats);
    const file = writer === "DuckDB"
      ? first
      : writer === "ours"
      ? (await mergeBytes([first], 20)).output
      : writeParquet(readParquet(first));
    const { output } = await copied(file, 0);
    const [x, n] = footerOfBytes(output).metadata.rowGroups[0].columns;
    assert.equal(x.metaData!.statistics?.maxValue, undefined);
    assert.ok(n.metaData!.statistics?.maxValue !== undefined, "bounds of integers stay");
    const path = await Deno.makeTempFile({ suffix: ".parquet" });
    const { connection, close } = await openDuckDb();
    try {
      await Deno.writeFile(path, output);
      const rows = await rowsOf(connection, `select n from '${path}' where x > 1000`);
      assert.deepEqual([...rows.keys()], ["7n"]);
    } finally {
      close();
      await Deno.remove(path);
    }
  });
}

Deno.test("floats without a NaN have bounds in a group that was copied", async () => {
  const { output } = await copied(
    await writeWithDuckDb("select i / 8 as x from range(20) t(i)"),
    0,
  );
  const [{ metaData }] = footerOfBytes(output).metadata.rowGroups[0].columns;
  assert.ok(metaData!.statistics?.maxValue !== undefined);
});

/** The file with the last byte of its one text page changed, under a CRC that is right. */
function forged(file: Uint8Array): Uint8Array {
  const mutant = file.slice();
  const { start, length } = chunkExtent(
    footerOfBytes(file).metadata.rowGroups[0].columns[0].metaData!,
  );
  const header = readPageHeader(file, start);
  const body = start + header.headerLength;
  const end = body + header.compressedSize;
  assert.ok(end <= start + length);
  mutant[end - 1] = 0xff;
  const writer = new ThriftWriter();
  writePageHeader(writer, { ...header, crc: crc32(mutant.subarray(body, end)) >>> 0 });
  assert.equal(writer.length, header.headerLength, "the header has its length");
  mutant.set(writer.view(), start);
  return mutant;
}

Deno.test("a page with a right CRC of broken text is not copied out of an upload", async () => {
  const texts = await writeWithDuckDb("select 'value ' || i as s from range(200) r(i)");
  const { output } = await mergeBytes([texts], 200);
  const bad = forged(output);
  const { result } = await copied(bad, 0);
  assert.deepEqual(result.rejected.map(({ error }) => error.code), ["invalid_parquet"]);
  assert.deepEqual(result.rejected[0].error.extra, {
    file: "file",
    row_group: 0,
    column: ["s"],
    page: 0,
  });
  // of what a merge wrote the CRC tells that it is as it was written
  assert.deepEqual((await copied(bad, 1)).result.rejected, []);
  const wrong = output.slice();
  wrong[chunkExtent(footerOfBytes(output).metadata.rowGroups[0].columns[0].metaData!).start + 80] ^=
    1;
  const refusal = (await copied(wrong, 1)).result.rejected[0].error;
  assert.match(refusal.message, /CRC/);
});

Deno.test("levels that are bit-packed are not copied: DuckDB takes them for RLE", async () => {
  const file = await writeWithDuckDb(
    "select case when i % 3 > 0 then i end as n from range(8) t(i)",
    "format parquet, compression uncompressed, dictionary_size_limit 0",
  );
  const { metadata } = footerOfBytes(file);
  const meta = metadata.rowGroups[0].columns[0].metaData!;
  const header = readPageHeader(file, meta.dataPageOffset);
  const end = meta.dataPageOffset + header.headerLength + header.compressedSize;
  // one bit a level, from the highest down, and the five values
  const body = [0b01101101, ...file.subarray(end - 40, end)];
  const writer = new ThriftWriter();
  writePageHeader(writer, {
    ...header,
    definitionLevelEncoding: encoding.BIT_PACKED,
    compressedSize: body.length,
    uncompressedSize: body.length,
  });
  const bytes = new Uint8Array([...writer.view(), ...body]);
  const chunk = {
    meta: { ...meta, dataPageOffset: 4, totalUncompressedSize: bytes.length },
    bytes,
  };
  const packed = joinGroups([{ numRows: 8, chunks: [chunk] }], metadata);
  const { result, output } = await copied(packed, 0);
  assert.deepEqual(result.rejected, []);
  assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(file));
});

Deno.test("of a file of ours a page index that is broken, or speaks of other pages, is left out, and the rows are not", async () => {
  const { output } = await mergeBytes(
    [await writeWithDuckDb("select i as n from range(1000) r(i)")],
    1000,
    { settings: { pageRows: 100 } },
  );
  const { offsetIndexOffset, offsetIndexLength } = chunkOf(output);
  assert.ok(offsetIndexLength! > 20);
  assert.ok(chunkOf((await copied(output, 1)).output).offsetIndexOffset !== undefined);
  const cut = withFooter(output, ({ rowGroups }) => {
    rowGroups[0].columns[0].offsetIndexLength! -= 3;
  });
  const flipped = output.slice();
  // the second page's offset, behind its field header
  flipped[offsetIndexOffset! + 12] ^= 0x20;
  for (const file of [cut, flipped]) {
    const { result, output: copy } = await copied(file, 1);
    assert.deepEqual(result.rejected, []);
    assert.equal(chunkOf(copy).offsetIndexOffset, undefined);
    assert.equal(chunkOf(copy).columnIndexOffset, undefined);
    assert.deepEqual(await rowsOfBytes(copy), await rowsOfBytes(output));
  }
});

Deno.test("gzip with a flag in its header is not copied: DuckDB refuses it", async () => {
  const data = Array.from({ length: 500 }, (_, n) => n);
  const named = (bytes: Uint8Array) => {
    const gzipped = new Uint8Array(gzipSync(bytes));
    gzipped[3] = 1; // a guess that the data is text, and nothing else
    return gzipped;
  };
  const fileOf = (compress: (bytes: Uint8Array) => Uint8Array) =>
    new Uint8Array(parquetWriteBuffer({
      columnData: [{ name: "n", data, type: "INT32" }],
      codec: "GZIP",
      compressors: { GZIP: compress },
    }));
  const file = fileOf(named);
  const { result, output } = await copied(file, 0);
  assert.deepEqual(result.rejected, []);
  const plain = fileOf((bytes) => new Uint8Array(gzipSync(bytes)));
  assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(plain));
});
