/** Pages that an earlier merge wrote, checked by their headers and CRCs while they go by. */
import { strict as assert } from "node:assert";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import { readPageHeader } from "../../../shared/parquet/format/page_header.ts";
import { bytesReader } from "../../../shared/parquet/format/range_reader.ts";
import { ThriftWriter } from "../../../shared/parquet/format/thrift/thrift_writer.ts";
import { chunkExtent } from "../../../shared/parquet/inspect/check_chunks.ts";
import { joinGroups } from "../../../shared/parquet/merge/decode/joined_file.ts";
import { mergePages } from "../../../shared/parquet/merge/page_merge.ts";
import { mergeBytes, paths } from "../core/merge_bytes.ts";
import { MemorySink } from "../memory_sink.ts";
import { rowsOfBytes, writeWithDuckDb } from "../sample_files.ts";
import { writePageHeader } from "../write_page_header.ts";

/** A file of ours with many pages, of numbers, texts and lists. */
async function ours(): Promise<Uint8Array<ArrayBuffer>> {
  const file = await writeWithDuckDb(
    "select hash(i) as h, 'value ' || i % 50 as s, case when i % 3 > 0 then [i, i + 1] end as l from range(3000) r(i)",
  );
  const { output } = await mergeBytes([file], 3000, { settings: { pageRows: 200 } });
  return output;
}

/** Copies a file of ours by windows of some bytes. */
async function copy(bytes: Uint8Array, windowBytes: number) {
  const sink = new MemorySink();
  const result = await mergePages(
    {
      inputs: [{ id: "file", level: 1 }],
      target: { rowGroupBytes: 4 << 20, pageBytes: 1 << 20, codec: "snappy" },
      expectedRows: footerOfBytes(bytes).metadata.numRows,
    },
    new Map([["file", bytesReader(bytes)]]),
    sink,
    { settings: { ...paths.copied, wholeFileBytes: 0, windowBytes } },
  );
  return { result, output: sink.bytes() };
}

/** The bytes of each chunk. */
const chunksOf = (file: Uint8Array) =>
  footerOfBytes(file).metadata.rowGroups[0].columns.map(({ metaData }) => {
    const { start, length } = chunkExtent(metaData!);
    return file.slice(start, start + length);
  });

Deno.test("pages are copied byte for byte wherever the parts that are read are cut", async () => {
  const file = await ours();
  for (const windowBytes of [1, 7, 64, 333, 5000, 1 << 20]) {
    const { result, output } = await copy(file, windowBytes);
    assert.deepEqual(result.rejected, []);
    assert.deepEqual(chunksOf(output), chunksOf(file), `windows of ${windowBytes}`);
  }
});

Deno.test("a changed byte anywhere in a page is told with the page's place, wherever the parts are cut", async () => {
  const file = await ours();
  const { metadata } = footerOfBytes(file);
  const { start, length } = chunkExtent(metadata.rowGroups[0].columns[0].metaData!);
  let page = 0;
  for (let at = start; at < start + length;) {
    const header = readPageHeader(file, at);
    const body = at + header.headerLength;
    for (const place of [body, body + header.compressedSize - 1]) {
      const broken = file.slice();
      broken[place] ^= 0x10;
      for (const windowBytes of [100, 1 << 20]) {
        const { rejected } = (await copy(broken, windowBytes)).result;
        assert.deepEqual(rejected.map(({ error }) => [error.code, error.extra]), [
          ["invalid_parquet", { file: "file", row_group: 0, column: ["h"], page }],
        ]);
      }
    }
    at = body + header.compressedSize;
    page++;
  }
  assert.ok(page > 10, `${page} pages`);
});

Deno.test("a chunk that ends inside of a page is refused", async () => {
  const file = await ours();
  const { metadata } = footerOfBytes(file);
  const groups = metadata.rowGroups.map((group) => ({
    numRows: group.numRows,
    chunks: group.columns.map(({ metaData }, i) => {
      const { start, length } = chunkExtent(metaData!);
      return { meta: metaData!, bytes: file.slice(start, start + length - (i === 0 ? 5 : 0)) };
    }),
  }));
  const { rejected } = (await copy(joinGroups(groups, metadata), 300)).result;
  assert.deepEqual(rejected.map(({ error }) => error.code), ["invalid_parquet"]);
  assert.match(
    rejected[0].error.message,
    /the page declares \d+ bytes, and the chunk has \d+ left/,
  );
});

/** The file without the CRCs of those pages of its first column that are to lose them. */
function withoutCrcs(file: Uint8Array, loses: (page: number) => boolean): Uint8Array {
  const { metadata } = footerOfBytes(file);
  const groups = metadata.rowGroups.map((group) => ({
    numRows: group.numRows,
    chunks: group.columns.map(({ metaData }, i) => {
      const { start, length } = chunkExtent(metaData!);
      if (i > 0) return { meta: metaData!, bytes: file.slice(start, start + length) };
      const parts: Uint8Array[] = [];
      let page = 0;
      for (let at = start; at < start + length; page++) {
        const header = readPageHeader(file, at);
        const end = at + header.headerLength + header.compressedSize;
        const writer = new ThriftWriter();
        writePageHeader(writer, loses(page) ? { ...header, crc: -1 } : header);
        parts.push(writer.view().slice(), file.slice(at + header.headerLength, end));
        at = end;
      }
      return { meta: metaData!, bytes: new Uint8Array(parts.flatMap((part) => [...part])) };
    }),
  }));
  return joinGroups(groups, metadata);
}

for (
  const [what, loses] of [
    ["all pages are", () => true],
    ["the first page is", (page: number) => page === 0],
    ["a later page is", (page: number) => page === 4],
  ] as const
) {
  Deno.test(`a chunk of ours keeps its rows where ${what} without a CRC`, async () => {
    const file = await ours();
    const bare = withoutCrcs(file, loses);
    for (const windowBytes of [300, 1 << 20]) {
      const { result, output } = await copy(bare, windowBytes);
      assert.deepEqual(result.rejected, []);
      assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(file));
    }
  });
}
