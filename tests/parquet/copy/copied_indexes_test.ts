import { deepEqual, equal, ok } from "node:assert/strict";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import type { ColumnChunk } from "../../../shared/parquet/format/metadata.ts";
import {
  type ColumnIndex,
  type OffsetIndex,
  readColumnIndex,
  readOffsetIndex,
  writeColumnIndex,
  writeOffsetIndex,
} from "../../../shared/parquet/format/page_index.ts";
import { ThriftWriter } from "../../../shared/parquet/format/thrift/thrift_writer.ts";
import { HostKernels } from "../../../shared/parquet/kernels/host_kernels.ts";
import { addMovedIndexes } from "../../../shared/parquet/merge/copy/copied_indexes.ts";
import { mergeSettings } from "../../../shared/parquet/merge/pages/merge_settings.ts";
import { GroupIndexes } from "../../../shared/parquet/write/group_indexes.ts";
import { mergeBytes } from "../core/merge_bytes.ts";
import { writeWithDuckDb } from "../sample_files.ts";
import { copied } from "./copied.ts";

const { kernels: limits } = mergeSettings(
  { rowGroupBytes: 1 << 20, pageBytes: 1 << 20, codec: "snappy" },
  {},
);

function thrift<T>(write: (writer: ThriftWriter, index: T) => void, index: T): Uint8Array {
  const writer = new ThriftWriter();
  write(writer, index);
  return writer.view().slice();
}

/** The indexes of the only chunk of a file at offset 1,000, as they are written when it is moved. */
function moved(offsetIndex: Uint8Array, columnIndex: Uint8Array, moved: number, rows: number) {
  const bytes = new Uint8Array(1_000_000);
  bytes.set(columnIndex, 500_000);
  bytes.set(offsetIndex, 600_000);
  const chunk = {
    metaData: { dataPageOffset: 1000, totalCompressedSize: 90_000 },
    columnIndexOffset: 500_000,
    columnIndexLength: columnIndex.length,
    offsetIndexOffset: 600_000,
    offsetIndexLength: offsetIndex.length,
  } as ColumnChunk;
  const indexes = new GroupIndexes();
  const bytesAt = (start: number, length: number) => bytes.subarray(start, start + length);
  const kernels = new HostKernels(limits);
  addMovedIndexes(indexes, kernels, chunk, rows, moved, bytes.length, bytesAt);
  indexes.close();
  return indexes;
}

const pages = Array.from({ length: 40 }, (_, i) => ({
  offset: 1000 + i * 2000,
  compressedPageSize: 1900,
  firstRowIndex: i * 100,
}));
const offsets: OffsetIndex = { pages, unencodedByteArrayDataBytes: undefined };
const columns: ColumnIndex = {
  nullPages: pages.map((_, i) => i % 7 === 0),
  minValues: pages.map((_, i) => new Uint8Array(i % 7 === 0 ? 0 : i)),
  maxValues: pages.map((_, i) => new Uint8Array(i % 7 === 0 ? 0 : 2 * i).fill(255)),
  boundaryOrder: 1,
  nullCounts: pages.map((_, i) => i * 1000),
  repetitionLevelHistograms: undefined,
  definitionLevelHistograms: undefined,
};

/** As they are to be: written from what is read of them. */
function rewritten(by: number) {
  const at = pages.map((page) => ({ ...page, offset: page.offset + by }));
  return {
    offsets: thrift(writeOffsetIndex, { ...offsets, pages: at }),
    columns: thrift(writeColumnIndex, columns),
  };
}

for (const by of [0, -996, 63, 1_000_000, 2 ** 45]) {
  Deno.test(`page indexes of a chunk that is moved by ${by} are as if they were written anew`, () => {
    const indexes = moved(
      thrift(writeOffsetIndex, offsets),
      thrift(writeColumnIndex, columns),
      by,
      4000,
    );
    deepEqual(indexes.offsetIndexes, rewritten(by).offsets);
    deepEqual(indexes.columnIndexes, rewritten(by).columns);
  });
}

Deno.test("indexes with fields that we do not write go along, too", () => {
  const histograms = { ...columns, definitionLevelHistograms: pages.map(() => 5) };
  const sizes = { ...offsets, unencodedByteArrayDataBytes: pages.map(() => 70) };
  const indexes = moved(
    thrift(writeOffsetIndex, sizes),
    thrift(writeColumnIndex, histograms),
    0,
    4000,
  );
  deepEqual(readOffsetIndex(indexes.offsetIndexes), sizes);
  deepEqual(readColumnIndex(indexes.columnIndexes).definitionLevelHistograms, pages.map(() => 5));
});

Deno.test("an offset index that does not fit its chunk is left out with the column index, and one of these alone", () => {
  const lengthsOf = (change: Partial<OffsetIndex>, change2: Partial<ColumnIndex>, rows = 4000) => {
    const { offsetLengths, columnLengths } = moved(
      thrift(writeOffsetIndex, { ...offsets, ...change }),
      thrift(writeColumnIndex, { ...columns, ...change2 }),
      10,
      rows,
    );
    return [offsetLengths[0] > 0, columnLengths[0] > 0];
  };
  deepEqual(lengthsOf({}, {}), [true, true]);
  deepEqual(lengthsOf({}, {}, 3900), [false, false]);
  deepEqual(lengthsOf({ pages: pages.slice(1) }, {}), [false, false]);
  deepEqual(lengthsOf({ pages: pages.toReversed() }, {}), [false, false]);
  deepEqual(lengthsOf({ pages: [{ ...pages[0], compressedPageSize: 90_001 }] }, {}), [
    false,
    false,
  ]);
  deepEqual(lengthsOf({ pages: pages.slice(0, 39) }, {}), [true, false]);
  deepEqual(lengthsOf({}, { minValues: columns.minValues.slice(1) }), [true, false]);
});

Deno.test("page indexes of a copied file of ours are read with its footer where they are near, and point at its pages", async () => {
  const { output } = await mergeBytes(
    [await writeWithDuckDb("select i as n, 'v' || i as s from range(9000) r(i)")],
    9000,
    { settings: { pageRows: 100 } },
  );
  const again = (await copied(output, 1)).output;
  const [before, after] = [output, again].map((file) =>
    footerOfBytes(file).metadata.rowGroups[0].columns.map((chunk) => ({
      meta: chunk.metaData!,
      offsets: readOffsetIndex(
        file.subarray(chunk.offsetIndexOffset, chunk.offsetIndexOffset! + chunk.offsetIndexLength!),
      ),
      columns: readColumnIndex(
        file.subarray(chunk.columnIndexOffset, chunk.columnIndexOffset! + chunk.columnIndexLength!),
      ),
    }))
  );
  ok(before[0].offsets.pages.length === 90);
  for (const [i, { meta, offsets, columns }] of after.entries()) {
    deepEqual(columns, before[i].columns);
    const by = meta.dataPageOffset - before[i].meta.dataPageOffset;
    deepEqual(
      offsets.pages,
      before[i].offsets.pages.map((page) => ({ ...page, offset: page.offset + by })),
    );
    equal(offsets.pages[0].offset, meta.dataPageOffset);
  }
});
