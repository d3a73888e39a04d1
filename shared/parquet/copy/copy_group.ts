import { chunkExtent } from "../check_chunks.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { type ColumnChunk, type FileMetaData, type Statistics, typeOrder } from "../metadata.ts";
import {
  type ColumnIndex,
  type OffsetIndex,
  readColumnIndex,
  readOffsetIndex,
} from "../page_index.ts";
import { readChunks } from "../pages/chunk_stream.ts";
import { PageFeeder } from "../pages/page_feeder.ts";
import { holdsText, valueOrder, valueOrders, valueWidth } from "../pages/value_order.ts";
import { atPlace } from "../parquet_error.ts";
import type { RangeReader } from "../range_reader.ts";
import type { SchemaTree } from "../schema.ts";
import type { ParquetFile } from "../write/parquet_file.ts";
import { GroupIndexes } from "../write/group_indexes.ts";

/** A row group to be copied. */
export interface CopySource {
  reader: RangeReader;
  metadata: FileMetaData;
  tree: SchemaTree;
  rowGroup: number;
}

/**
 * Copies a row group's chunks byte for byte to the end of the file, with all offsets moved. Each page is
 * checked on its way: by its CRC, else by decoding it once. Page indexes and Bloom filters go along; bounds
 * only where their order is TYPE_ORDER. Throws what is wrong with the pages; what was written by then stays
 * in the file without being referred to.
 */
export async function copyGroup(
  source: CopySource,
  file: ParquetFile,
  kernels: Kernels,
  windowBytes: number,
  signal?: AbortSignal,
): Promise<void> {
  const { reader, metadata, tree } = source;
  const group = metadata.rowGroups[source.rowGroup];
  await file.begin();
  const start = file.writer.offset;
  const starts: number[] = [];
  const scratch = kernels.wasm.newColumn(6, 0, 0, 0, 0);
  if (scratch === 0) throw kernels.error({});
  kernels.wasm.startGroup(scratch, 1);
  const feeder = new PageFeeder(kernels);
  try {
    const extents = group.columns.map((chunk) => chunkExtent(chunk.metaData!));
    for await (const part of readChunks(reader, extents, windowBytes, signal)) {
      const leaf = tree.leaves[part.chunk];
      const meta = group.columns[part.chunk].metaData!;
      if (part.offset === 0) {
        starts[part.chunk] = file.writer.offset;
        feeder.start();
        kernels.wasm.requireText(scratch, holdsText(leaf) ? 1 : 0);
        kernels.wasm.openChunk(
          meta.type,
          valueWidth(leaf),
          leaf.definitionLevel,
          leaf.repetitionLevel,
          meta.codec,
          meta.numValues,
          group.numRows,
          0,
          0,
          0,
          2,
        );
      }
      const fine = feeder.feed(scratch, part.bytes, part.last) &&
        (!part.last || kernels.wasm.closeChunk() !== 0);
      if (!fine) {
        throw kernels.error({ column: leaf.path, page: kernels.wasm.getPagesRead() });
      }
      await file.writer.write(part.bytes);
    }
  } finally {
    kernels.wasm.freeColumn(scratch);
  }
  const end = file.writer.offset;
  const columns: ColumnChunk[] = [];
  const indexes = new GroupIndexes();
  const bytesAt = await readIndexes(reader, group.columns, signal);
  for (let i = 0; i < group.columns.length; i++) {
    const chunk = group.columns[i];
    const moved = starts[i] - chunkExtent(chunk.metaData!).start;
    const ordered = metadata.columnOrders?.[i] === typeOrder &&
      valueOrder(tree.leaves[i]) !== valueOrders.none;
    columns.push(await movedChunk(chunk, moved, ordered, source, file, signal));
    try {
      const { columnIndex, offsetIndex } = movedIndexes(chunk, moved, ordered, bytesAt);
      indexes.add(columnIndex, offsetIndex);
    } catch (error) {
      throw atPlace(error, { column: tree.leaves[i].path });
    }
  }
  file.add({
    group: {
      ...group,
      columns,
      // a sort order holds for the rows of a group wherever it stands
      fileOffset: start,
      totalCompressedSize: end - start,
      ordinal: file.groupCount < 32_768 ? file.groupCount : undefined,
    },
    indexes,
  });
}

async function movedChunk(
  chunk: ColumnChunk,
  moved: number,
  ordered: boolean,
  source: CopySource,
  file: ParquetFile,
  signal?: AbortSignal,
): Promise<ColumnChunk> {
  const meta = chunk.metaData!;
  let bloomFilterOffset: number | undefined;
  if (meta.bloomFilterOffset !== undefined && meta.bloomFilterLength !== undefined) {
    const bytes = await source.reader.read(meta.bloomFilterOffset, meta.bloomFilterLength, signal);
    bloomFilterOffset = file.writer.offset;
    await file.writer.write(bytes);
    source.reader.release?.(bytes);
  }
  const dictionary = meta.dictionaryPageOffset;
  return {
    filePath: undefined,
    fileOffset: 0,
    metaData: {
      ...meta,
      dataPageOffset: meta.dataPageOffset + moved,
      // 0 stands for none with some writers
      dictionaryPageOffset: dictionary === undefined || dictionary === 0
        ? undefined
        : dictionary + moved,
      indexPageOffset: undefined,
      statistics: meta.statistics && keptStatistics(meta.statistics, ordered),
      bloomFilterOffset,
      bloomFilterLength: bloomFilterOffset === undefined ? undefined : meta.bloomFilterLength,
    },
    offsetIndexOffset: undefined,
    offsetIndexLength: undefined,
    columnIndexOffset: undefined,
    columnIndexLength: undefined,
    encrypted: false,
  };
}

/** Without the deprecated bounds, and without any where their order isn't known. */
function keptStatistics(statistics: Statistics, ordered: boolean): Statistics {
  return {
    max: undefined,
    min: undefined,
    nullCount: statistics.nullCount,
    distinctCount: undefined,
    maxValue: ordered ? statistics.maxValue : undefined,
    minValue: ordered ? statistics.minValue : undefined,
    isMaxExact: ordered ? statistics.isMaxExact : undefined,
    isMinExact: ordered ? statistics.isMinExact : undefined,
  };
}

/** The chunk's page indexes; none when they don't fit each other. */
function movedIndexes(
  chunk: ColumnChunk,
  moved: number,
  ordered: boolean,
  bytesAt: IndexBytes,
): { columnIndex: ColumnIndex | undefined; offsetIndex: OffsetIndex | undefined } {
  const { offsetIndexOffset, offsetIndexLength, columnIndexOffset, columnIndexLength } = chunk;
  if (offsetIndexOffset === undefined || !offsetIndexLength) {
    return { columnIndex: undefined, offsetIndex: undefined };
  }
  const offsetIndex = readOffsetIndex(bytesAt(offsetIndexOffset, offsetIndexLength));
  const { start, length } = chunkExtent(chunk.metaData!);
  for (const page of offsetIndex.pages) {
    if (page.offset < start || page.offset + page.compressedPageSize > start + length) {
      return { columnIndex: undefined, offsetIndex: undefined };
    }
    page.offset += moved;
  }
  if (!ordered || columnIndexOffset === undefined || !columnIndexLength) {
    return { columnIndex: undefined, offsetIndex };
  }
  const columnIndex = readColumnIndex(bytesAt(columnIndexOffset, columnIndexLength));
  if (columnIndex.nullPages.length !== offsetIndex.pages.length) {
    return { columnIndex: undefined, offsetIndex };
  }
  return { columnIndex, offsetIndex };
}

type IndexBytes = (start: number, length: number) => Uint8Array;

/** Bytes that nobody needs between the page indexes of a row group, read to save requests. */
const largestIndexGap = 512 * 1024;

/** Fetches the page indexes of a row group: by one read when they lie together, as they do, else one by one. */
async function readIndexes(
  reader: RangeReader,
  chunks: readonly ColumnChunk[],
  signal?: AbortSignal,
): Promise<IndexBytes> {
  const ranges = chunks.flatMap((chunk) => [
    { start: chunk.offsetIndexOffset, length: chunk.offsetIndexLength },
    { start: chunk.columnIndexOffset, length: chunk.columnIndexLength },
  ]).flatMap(({ start, length }) => start === undefined || !length ? [] : [{ start, length }])
    .sort((a, b) => a.start - b.start);
  const spans: { start: number; end: number; bytes?: Uint8Array }[] = [];
  for (const { start, length } of ranges) {
    const last = spans.at(-1);
    if (last !== undefined && start - last.end <= largestIndexGap) {
      last.end = Math.max(last.end, start + length);
    } else spans.push({ start, end: start + length });
  }
  for (const span of spans) {
    const bytes = await reader.read(span.start, span.end - span.start, signal);
    span.bytes = bytes.slice(); // bounds are views of it
    reader.release?.(bytes);
  }
  return (start, length) => {
    const span = spans.find((one) => one.start <= start && start + length <= one.end)!;
    return span.bytes!.subarray(start - span.start, start - span.start + length);
  };
}
