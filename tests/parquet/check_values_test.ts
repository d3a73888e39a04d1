import { strict as assert } from "node:assert";
import { crc32 } from "node:zlib";
import { SedimentError } from "../../shared/errors.ts";
import { chunkExtent } from "../../shared/parquet/inspect/check_chunks.ts";
import { checkValues } from "../../shared/parquet/inspect/check_values.ts";
import { inspectParquetBytes } from "../../shared/parquet/inspect/inspect.ts";
import { readPageHeader } from "../../shared/parquet/format/page_header.ts";
import { writePageHeader } from "./write_page_header.ts";
import { ThriftWriter } from "../../shared/parquet/format/thrift/thrift_writer.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";
import { mergeBytes } from "./core/merge_bytes.ts";
import { writeWithDuckDb } from "./sample_files.ts";

async function codeOf(bytes: Uint8Array): Promise<string> {
  try {
    return String(await checkValues(bytes, inspectParquetBytes(bytes)));
  } catch (error) {
    assert.ok(error instanceof SedimentError, String(error));
    return error.code;
  }
}

Deno.test("a whole file is checked whole, again and again", async () => {
  const bytes = tinyParquet(Array.from({ length: 5000 }, (_, n) => n % 97));
  for (let n = 0; n < 200; n++) assert.equal(await codeOf(bytes), "true");
});

Deno.test("a file that is whole after a broken one is taken", async () => {
  const good = tinyParquet([1, 2, 3, 4]);
  const bad = good.slice();
  // the page's declared value count, which its bytes then do not hold
  for (let at = 4; at < 40; at++) {
    bad.set(good);
    bad[at] ^= 0x40;
    await codeOf(bad);
    assert.equal(await codeOf(good), "true", String(at));
  }
});

Deno.test("values that run past their page are found though the footer and the page header are whole", async () => {
  const bytes = tinyParquet(Array.from({ length: 300 }, (_, n) => n % 7));
  const facts = inspectParquetBytes(bytes);
  const { dataPageOffset, totalCompressedSize } = facts.footer.metadata.rowGroups[0].columns[0]
    .metaData!;
  let refused = 0;
  for (let at = dataPageOffset; at < dataPageOffset + totalCompressedSize; at++) {
    const mutant = bytes.slice();
    mutant[at] ^= 0xff;
    try {
      await checkValues(mutant, facts);
    } catch (error) {
      assert.equal((error as SedimentError).code, "invalid_parquet");
      refused++;
    }
  }
  assert.ok(refused > 0);
});

Deno.test("a page whose CRC is right is decoded all the same", async () => {
  const texts = await writeWithDuckDb("select 'value ' || i as s from range(20) r(i)");
  const { output } = await mergeBytes([texts], 20);
  assert.equal(await codeOf(output), "true");
  const { metadata } = inspectParquetBytes(output).footer;
  const { start, length } = chunkExtent(metadata.rowGroups[0].columns[0].metaData!);
  let refused = 0;
  for (let at = start; at < start + length;) {
    const header = readPageHeader(output, at);
    const body = at + header.headerLength;
    at = body + header.compressedSize;
    assert.notEqual(header.crc, -1);
    for (let place = body; place < at; place++) {
      const mutant = output.slice();
      mutant[place] = 0xff; // in a text: no UTF-8
      const crc = crc32(mutant.subarray(body, at)) >>> 0;
      const writer = new ThriftWriter();
      writePageHeader(writer, { ...header, crc });
      if (writer.length !== header.headerLength) continue;
      mutant.set(writer.view(), body - header.headerLength);
      if (await codeOf(mutant) === "invalid_parquet") refused++;
    }
  }
  assert.ok(refused > 20, String(refused));
});
