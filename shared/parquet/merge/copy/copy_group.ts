import { chunkExtent } from "../../inspect/check_chunks.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import type { ColumnChunk, ColumnMetaData, FileMetaData, RowGroup } from "../../format/metadata.ts";
import { type ChunkPart, readChunks } from "./chunk_stream.ts";
import type { FileTail } from "../../format/footer.ts";
import type { LeafLevels } from "../../kernels/leaf_levels.ts";
import { PageFeeder } from "./page_feeder.ts";
import { holdsText, valueWidth } from "../../format/value_order.ts";
import { isInside, type RangeReader } from "../../format/range_reader.ts";
import type { SchemaTree } from "../../format/schema.ts";
import { GroupIndexes } from "../../write/group_indexes.ts";
import { JoinedViews } from "../../write/joined_views.ts";
import type { ParquetFile } from "../../write/parquet_file.ts";
import { BloomFilters } from "./bloom_filters.ts";
import { CountedPages } from "./counted_pages.ts";
import { addMovedIndexes, readIndexes } from "./copied_indexes.ts";
import { CopiedPages } from "./copied_pages.ts";
import { moveChunks } from "./move_chunks.ts";

/** A row group to be copied. */
export interface CopySource {
  reader: RangeReader;
  /** The end of the file, when it is in memory. */
  tail?: FileTail;
  metadata: FileMetaData;
  tree: SchemaTree;
  /** The output's schema, of the same columns in the same places. */
  output: SchemaTree;
  /** What the tree's leaves share. */
  levels: LeafLevels;
  rowGroup: number;
  /** Whether we wrote it: then what its footer says is taken over, and a page whose CRC is right need not be decoded. */
  trusted: boolean;
}

/**
 * Copies a row group's chunks byte for byte to the end of the file. Each page is checked on its way by decoding it
 * once; in a group that we wrote the CRC says that it is as we wrote it, while anybody can give broken bytes a right
 * CRC. A group that we wrote the sink may also move unseen: then it answers for its being as we wrote it. Of a group
 * that we wrote all metadata goes along, with its offsets moved; of another one it is made anew from its pages, and a
 * Bloom filter goes along that knows their values. Throws what is wrong with the pages, and `unsupported_parquet` of
 * such as not all readers take; what was written by then stays in the file without being referred
 * to.
 */
export async function copyGroup(
  source: CopySource,
  file: ParquetFile,
  kernels: Kernels,
  windowBytes: number,
  signal?: AbortSignal,
): Promise<void> {
  const { metadata, rowGroup, trusted } = source;
  const group = metadata.rowGroups[rowGroup];
  await file.begin();
  const fileOffset = file.writer.offset;
  const moved = trusted ? await moveChunks(source.reader, group, file.writer) : undefined;
  const copied: CopiedChunk[] = moved?.map((start) => ({ start, pages: undefined })) ??
    await copyPages(source, file, kernels, windowBytes, signal);
  const totalCompressedSize = file.writer.offset - fileOffset;
  const { columns, indexes, totalByteSize, sortingColumns } = trusted
    ? await movedColumns(source, copied, file, kernels, signal)
    : await describedColumns(group, copied, source.output, file);
  file.add({
    group: {
      columns,
      totalByteSize,
      numRows: group.numRows,
      sortingColumns,
      fileOffset,
      totalCompressedSize,
      ordinal: file.groupCount < 32_768 ? file.groupCount : undefined,
    },
    indexes,
  });
}

/** A chunk whose bytes were copied. */
interface CopiedChunk {
  /** Where it begins in the output. */
  start: number;
  /** What its pages hold, of a group that isn't ours. */
  pages: CopiedPages | undefined;
  /** A filter that knows all of its values. */
  filter?: Uint8Array;
}

async function copyPages(
  { reader, metadata, tree, levels, rowGroup, trusted }: CopySource,
  file: ParquetFile,
  kernels: Kernels,
  windowBytes: number,
  signal?: AbortSignal,
): Promise<CopiedChunk[]> {
  const group = metadata.rowGroups[rowGroup];
  const copied: CopiedChunk[] = [];
  const filters = trusted ? undefined : await BloomFilters.read(kernels, reader, group, signal);
  const scratch = kernels.wasm.newColumn(6, 0, 0, 0, 0);
  if (scratch === 0) throw kernels.error({});
  kernels.wasm.startGroup(scratch, 1);
  const feeder = new PageFeeder(kernels);
  const joined = new JoinedViews(file.writer);
  let counted: CountedPages | undefined;
  try {
    const extents = group.columns.map((chunk) => chunkExtent(chunk.metaData!));
    const copy = ({ chunk, offset, bytes, last }: ChunkPart) => {
      const leaf = tree.leaves[chunk];
      const meta = group.columns[chunk].metaData!;
      if (offset === 0) {
        const start = joined.offset;
        const pages = trusted ? undefined : new CopiedPages(kernels, scratch, leaf, start);
        copied[chunk] = { start, pages };
        feeder.start();
        filters?.watch(chunk);
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
          levels.entry(chunk),
        );
        counted = trusted && CountedPages.startsWithCrc(kernels, bytes)
          ? new CountedPages(kernels, { column: leaf.path })
          : undefined;
      }
      const { pages } = copied[chunk];
      const onPage = pages && ((length: number) => pages.add(length));
      counted?.add(bytes, last);
      const fine = (counted !== undefined || feeder.feed(scratch, bytes, last, onPage)) &&
        (!last || kernels.wasm.closeChunk() !== 0);
      if (!fine) {
        throw kernels.error({ column: leaf.path, page: kernels.wasm.getPagesRead() });
      }
      if (last) copied[chunk].filter = filters?.take();
      joined.add(bytes);
    };
    for await (const parts of readChunks(reader, extents, windowBytes, signal)) {
      parts.forEach(copy);
      await joined.flush();
    }
    levels.check();
  } finally {
    filters?.free();
    kernels.wasm.freeColumn(scratch);
  }
  return copied;
}

/** What the footer says of a copied row group. */
type DescribedColumns = Pick<RowGroup, "columns" | "totalByteSize" | "sortingColumns"> & {
  indexes: GroupIndexes;
};

/** What the pages say, and Bloom filters that they bear out; no sort order, which nobody has checked. */
async function describedColumns(
  group: RowGroup,
  copied: readonly CopiedChunk[],
  output: SchemaTree,
  file: ParquetFile,
): Promise<DescribedColumns> {
  const indexes = new GroupIndexes();
  let totalByteSize = 0;
  const columns: ColumnChunk[] = [];
  for (const [i, { pages, filter }] of copied.entries()) {
    const { columnIndex, offsetIndex } = pages!.indexes();
    indexes.add(columnIndex, offsetIndex);
    totalByteSize += pages!.uncompressedBytes;
    columns.push(chunkOf({
      ...pages!.metadata(group.columns[i].metaData!, output.leaves[i].path),
      bloomFilterOffset: filter && file.writer.offset,
      bloomFilterLength: filter?.length,
    }));
    if (filter !== undefined) await file.writer.write(filter);
  }
  return { columns, indexes, totalByteSize, sortingColumns: undefined };
}

/** What the footer of a file of ours says, moved, with page indexes and Bloom filters. */
async function movedColumns(
  { reader, tail, metadata, output, rowGroup }: CopySource,
  copied: readonly CopiedChunk[],
  file: ParquetFile,
  kernels: Kernels,
  signal?: AbortSignal,
): Promise<DescribedColumns> {
  const group = metadata.rowGroups[rowGroup];
  const indexes = new GroupIndexes();
  const columns: ColumnChunk[] = [];
  const bytesAt = await readIndexes(reader, tail, group.columns, signal);
  for (const [i, chunk] of group.columns.entries()) {
    const meta = chunk.metaData!;
    const moved = copied[i].start - chunkExtent(meta).start;
    addMovedIndexes(indexes, kernels, chunk, group.numRows, moved, reader.size, bytesAt);
    // most have none: nothing is awaited then
    const filter = meta.bloomFilterOffset === undefined
      ? noFilter
      : await movedBloomFilter(meta, reader, file, signal);
    columns.push(chunkOf({
      ...meta,
      path: [...output.leaves[i].path],
      dataPageOffset: meta.dataPageOffset + moved,
      dictionaryPageOffset: meta.dictionaryPageOffset && meta.dictionaryPageOffset + moved,
      ...filter,
    }));
  }
  // a sort order holds for the rows of a group wherever it stands
  const { totalByteSize, sortingColumns } = group;
  return { columns, indexes, totalByteSize, sortingColumns };
}

const noFilter = { bloomFilterOffset: undefined, bloomFilterLength: undefined };

async function movedBloomFilter(
  { bloomFilterOffset, bloomFilterLength }: ColumnMetaData,
  reader: RangeReader,
  file: ParquetFile,
  signal?: AbortSignal,
): Promise<Pick<ColumnMetaData, "bloomFilterOffset" | "bloomFilterLength">> {
  if (
    bloomFilterOffset === undefined || bloomFilterLength === undefined ||
    !isInside(bloomFilterOffset, bloomFilterLength, reader.size)
  ) {
    return noFilter;
  }
  const bytes = await reader.read(bloomFilterOffset, bloomFilterLength, signal);
  const offset = file.writer.offset;
  await file.writer.write(bytes);
  reader.release?.(bytes);
  return { bloomFilterOffset: offset, bloomFilterLength };
}

function chunkOf(metaData: ColumnMetaData): ColumnChunk {
  return {
    filePath: undefined,
    fileOffset: 0,
    metaData,
    offsetIndexOffset: undefined,
    offsetIndexLength: undefined,
    columnIndexOffset: undefined,
    columnIndexLength: undefined,
    encrypted: false,
  };
}
