import { chunkExtent } from "../check_chunks.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { type ColumnChunk, type FileMetaData, type Statistics, typeOrder } from "../metadata.ts";
import { readChunks } from "../pages/chunk_stream.ts";
import type { LeafLevels } from "../pages/leaf_levels.ts";
import { PageFeeder } from "../pages/page_feeder.ts";
import { holdsText, valueOrder, valueOrders, valueWidth } from "../pages/value_order.ts";
import type { RangeReader } from "../range_reader.ts";
import type { SchemaNode, SchemaTree } from "../schema.ts";
import type { ParquetFile } from "../write/parquet_file.ts";
import { GroupIndexes } from "../write/group_indexes.ts";
import { movedIndexes, readIndexes } from "./copied_indexes.ts";

/** A row group to be copied. */
export interface CopySource {
  reader: RangeReader;
  metadata: FileMetaData;
  tree: SchemaTree;
  /** What the tree's leaves share. */
  levels: LeafLevels;
  rowGroup: number;
  /** Whether we wrote it: then a page whose CRC is right need not be decoded. */
  trusted: boolean;
}

/**
 * Copies a row group's chunks byte for byte to the end of the file, with all offsets moved. Each page is
 * checked on its way by decoding it once; in a group that we wrote the CRC says that it is as we wrote it, while
 * anybody can give broken bytes a right CRC. Page indexes that fit the chunk and Bloom filters go along; bounds
 * only where readers can go by them. Throws what is wrong with the pages; what was written by then stays in the
 * file without being referred to.
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
          source.trusted ? 2 : 3,
          source.levels.entry(part.chunk),
        );
      }
      const fine = feeder.feed(scratch, part.bytes, part.last) &&
        (!part.last || kernels.wasm.closeChunk() !== 0);
      if (!fine) {
        throw kernels.error({ column: leaf.path, page: kernels.wasm.getPagesRead() });
      }
      await file.writer.write(part.bytes);
    }
    source.levels.check();
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
      hasBounds(tree.leaves[i], metadata.createdBy);
    columns.push(await movedChunk(chunk, moved, ordered, source, file, signal));
    const { columnIndex, offsetIndex } = movedIndexes(
      chunk,
      group.numRows,
      moved,
      ordered,
      bytesAt,
    );
    indexes.add(columnIndex, offsetIndex);
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

const { none, float, double, float16 } = valueOrders;

/**
 * Whether a writer's bounds of a column can stay. By parquet.thrift (ColumnOrder) writers leave NaN out of bounds, and
 * readers that order it above all numbers, as DuckDB does, then prune rows that `> 5` should find. So bounds of
 * floats stay only where their writer gives none when there is a NaN: DuckDB, and ours.
 */
function hasBounds(leaf: SchemaNode, writer: string | undefined): boolean {
  const order = valueOrder(leaf);
  if (order === none) return false;
  if (order !== float && order !== double && order !== float16) return true;
  return writer !== undefined && /^(sediment|DuckDB) version /.test(writer);
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
