/** Checks what a footer and the page indexes say of an output against its pages, byte by byte. */
import { strict as assert } from "node:assert";
import { crc32 } from "node:zlib";
import { chunkExtent } from "../../../shared/parquet/inspect/check_chunks.ts";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import {
  type ColumnChunk,
  pageType,
  type RowGroup,
} from "../../../shared/parquet/format/metadata.ts";
import { readPageHeader } from "../../../shared/parquet/format/page_header.ts";
import { readColumnIndex, readOffsetIndex } from "../../../shared/parquet/format/page_index.ts";
import { schemaTree } from "../../../shared/parquet/format/schema.ts";

/** Throws an assertion error where the file contradicts itself. */
export function checkOutput(file: Uint8Array): void {
  const { metadata, start } = footerOfBytes(file);
  const tree = schemaTree(metadata.schema);
  assert.equal(metadata.numRows, metadata.rowGroups.reduce((sum, g) => sum + g.numRows, 0));
  assert.equal(metadata.columnOrders?.length, tree.leaves.length);
  metadata.rowGroups.forEach((group, ordinal) => {
    assert.equal(group.ordinal, ordinal);
    assert.ok(group.numRows > 0, "a row group without rows");
    let compressed = 0, uncompressed = 0;
    group.columns.forEach((chunk, i) => {
      assert.deepEqual(chunk.metaData!.path, tree.leaves[i].path);
      checkChunk(file, group, chunk, start);
      compressed += chunk.metaData!.totalCompressedSize;
      uncompressed += chunk.metaData!.totalUncompressedSize;
    });
    assert.equal(group.totalByteSize, uncompressed);
    assert.ok(group.totalCompressedSize! >= compressed);
  });
}

function checkChunk(file: Uint8Array, group: RowGroup, chunk: ColumnChunk, end: number): void {
  const meta = chunk.metaData!;
  const extent = chunkExtent(meta);
  assert.ok(extent.start >= 4 && extent.start + extent.length <= end);
  const stats = new Map<string, number>();
  const pages: { offset: number; size: number; values: number }[] = [];
  let at = extent.start, uncompressed = 0, values = 0;
  while (at < extent.start + extent.length) {
    const header = readPageHeader(file, at);
    const body = file.subarray(
      at + header.headerLength,
      at + header.headerLength + header.compressedSize,
    );
    assert.equal(header.crc, crc32(body) >>> 0, "the page's CRC");
    if (header.type === pageType.DICTIONARY_PAGE) {
      assert.equal(at, meta.dictionaryPageOffset);
    } else {
      if (pages.length === 0) assert.equal(at, meta.dataPageOffset);
      pages.push({
        offset: at,
        size: header.headerLength + body.length,
        values: header.numValues,
      });
      values += header.numValues;
    }
    const key = `${header.type}/${header.encoding}`;
    stats.set(key, (stats.get(key) ?? 0) + 1);
    assert.ok(meta.encodings.includes(header.encoding));
    uncompressed += header.headerLength + header.uncompressedSize;
    at += header.headerLength + header.compressedSize;
  }
  assert.equal(at, extent.start + extent.length, "pages fill the chunk");
  assert.equal(values, meta.numValues);
  assert.equal(uncompressed, meta.totalUncompressedSize);
  assert.deepEqual(
    stats,
    new Map(meta.encodingStats!.map((s) => [`${s.pageType}/${s.encoding}`, s.count])),
  );
  const at0 = chunk.offsetIndexOffset!;
  const offsets = readOffsetIndex(file.subarray(at0, at0 + chunk.offsetIndexLength!));
  assert.deepEqual(
    offsets.pages.map((page) => [page.offset, page.compressedPageSize]),
    pages.map((page) => [page.offset, page.size]),
  );
  offsets.pages.forEach((page, i) => {
    if (i === 0) assert.equal(page.firstRowIndex, 0);
    else assert.ok(page.firstRowIndex > offsets.pages[i - 1].firstRowIndex);
    assert.ok(page.firstRowIndex < group.numRows);
  });
  if (chunk.columnIndexOffset === undefined) return;
  const at1 = chunk.columnIndexOffset;
  const index = readColumnIndex(file.subarray(at1, at1 + chunk.columnIndexLength!));
  assert.equal(index.nullPages.length, pages.length);
  assert.equal(
    index.nullCounts!.reduce((sum, n) => sum + n, 0),
    meta.statistics!.nullCount,
  );
  index.nullPages.forEach((isNull, i) => {
    assert.equal(isNull, index.nullCounts![i] === pages[i].values, "a page is null when all is");
  });
}
