import { blankChunk } from "../format/blank_chunk.ts";
import {
  type ColumnChunk,
  encoding,
  type PageEncodingStats,
  pageType,
  type RowGroup,
  type SortingColumn,
  type Statistics,
} from "../format/metadata.ts";
import type { ColumnIndex, OffsetIndex } from "../format/page_index.ts";
import { boundaryOrder, type Bounds, joinBounds } from "./bounds.ts";
import type { FileWriter } from "./file_writer.ts";
import type { FinishedColumn, FinishedPage } from "./finished_column.ts";
import { GroupIndexes } from "./group_indexes.ts";
import type { RowOrigins } from "./row_origins.ts";

/** A row group as it was written. */
export interface WrittenGroup {
  group: RowGroup;
  indexes: GroupIndexes;
  /** Where its rows came from, when they are not in the order in which they came. */
  origins?: RowOrigins;
}

/** Writes the finished pages of all columns, which must hold `rows` rows each, one chunk after the other, as they are asked for. */
export async function writeRowGroup(
  file: FileWriter,
  columns: Iterable<FinishedColumn>,
  rows: number,
  ordinal: number,
  sortingColumns?: SortingColumn[],
): Promise<WrittenGroup> {
  const start = file.offset;
  const chunks: ColumnChunk[] = [];
  const indexes = new GroupIndexes();
  let uncompressed = 0;
  for (const column of columns) {
    const chunk = await writeChunk(file, column, indexes);
    chunks.push(chunk);
    uncompressed += chunk.metaData!.totalUncompressedSize;
  }
  return {
    group: {
      columns: chunks,
      totalByteSize: uncompressed,
      numRows: rows,
      sortingColumns,
      fileOffset: start,
      totalCompressedSize: file.offset - start,
      // the format's ordinal is an i16
      ordinal: ordinal < 32_768 ? ordinal : undefined,
    },
    indexes,
  };
}

/** Writes the finished pages of a column, and adds their indexes. */
export async function writeChunk(
  file: FileWriter,
  column: FinishedColumn,
  indexes: GroupIndexes,
): Promise<ColumnChunk> {
  const start = file.offset;
  let uncompressed = 0, values = 0, firstRow = 0;
  const dictionary = column.dictionaryPage();
  if (dictionary !== undefined) {
    uncompressed += dictionary.uncompressedBytes;
    await file.write(dictionary.bytes);
  }
  const dataStart = file.offset;
  const offsetIndex: OffsetIndex = { pages: [], unencodedByteArrayDataBytes: undefined };
  for (const page of column.pages) {
    const { bytes } = page;
    offsetIndex.pages.push({
      offset: file.offset,
      compressedPageSize: bytes.length,
      firstRowIndex: firstRow,
    });
    firstRow += page.rows;
    values += page.values;
    uncompressed += page.uncompressedBytes;
    await file.write(bytes);
  }
  const pages = column.pages;
  indexes.add(columnIndex(column.order, pages), offsetIndex);
  return blankChunk({
    type: column.leaf.element.type!,
    encodings: chunkEncodings(pages, dictionary !== undefined),
    path: [...column.leaf.path],
    codec: column.codec ?? 0,
    numValues: values,
    totalUncompressedSize: uncompressed,
    totalCompressedSize: file.offset - start,
    dataPageOffset: dataStart,
    dictionaryPageOffset: dictionary === undefined ? undefined : start,
    statistics: chunkStatistics(column.order, pages),
    encodingStats: encodingStats(pages, dictionary !== undefined),
  });
}

function chunkEncodings(pages: readonly FinishedPage[], dictionary: boolean): number[] {
  const used = new Set<number>([encoding.RLE]);
  if (dictionary) used.add(encoding.PLAIN);
  for (const page of pages) used.add(page.encoding);
  return [...used].sort((a, b) => a - b);
}

function encodingStats(pages: readonly FinishedPage[], dictionary: boolean): PageEncodingStats[] {
  const stats: PageEncodingStats[] = [];
  if (dictionary) {
    stats.push({ pageType: pageType.DICTIONARY_PAGE, encoding: encoding.PLAIN, count: 1 });
  }
  for (const which of [encoding.RLE_DICTIONARY, encoding.PLAIN]) {
    const count = pages.filter((page) => page.encoding === which).length;
    if (count > 0) stats.push({ pageType: pageType.DATA_PAGE, encoding: which, count });
  }
  return stats;
}

/** Bounds of the chunk from those of its pages; none when a page has values and no bounds. */
function chunkStatistics(order: number, pages: readonly FinishedPage[]): Statistics {
  let nulls = 0;
  let bounds: Bounds | undefined;
  let known = true;
  for (const page of pages) {
    nulls += page.nulls;
    if (page.bounds !== undefined) {
      bounds = bounds === undefined ? page.bounds : joinBounds(order, bounds, page.bounds);
    } else if (page.nulls < page.values) known = false;
  }
  const kept = known ? bounds : undefined;
  return {
    max: undefined,
    min: undefined,
    nullCount: nulls,
    distinctCount: undefined,
    maxValue: kept?.max,
    minValue: kept?.min,
    isMaxExact: kept?.maxExact,
    isMinExact: kept?.minExact,
  };
}

/** What a column index says of a page. */
export type PageFacts = Pick<FinishedPage, "values" | "nulls" | "bounds">;

/** For all pages of the chunk or for none: every page must be all null or have bounds. */
export function columnIndex(order: number, pages: readonly PageFacts[]): ColumnIndex | undefined {
  const none = new Uint8Array(0);
  const index: ColumnIndex = {
    nullPages: [],
    minValues: [],
    maxValues: [],
    boundaryOrder: 0,
    nullCounts: [],
    repetitionLevelHistograms: undefined,
    definitionLevelHistograms: undefined,
  };
  const bounds: Bounds[] = [];
  for (const page of pages) {
    const isNull = page.nulls === page.values;
    if (!isNull && page.bounds === undefined) return undefined;
    if (page.bounds !== undefined) bounds.push(page.bounds);
    index.nullPages.push(isNull);
    index.minValues.push(page.bounds?.min ?? none);
    index.maxValues.push(page.bounds?.max ?? none);
    index.nullCounts!.push(page.nulls);
  }
  index.boundaryOrder = boundaryOrder(order, bounds);
  return index;
}
