/** What pages take in the memory of a merge, for the planner: a page must be there whole. */
import type { PageHeader } from "../format/page_header.ts";
import {
  type ColumnMetaData,
  encoding,
  type FileMetaData,
  pageType,
  type RowGroup,
} from "../format/metadata.ts";

/** Bytes that pages take once they are read. */
export interface PageWeights {
  /** The heaviest page. */
  page: number;
  /** The heaviest page of each column of a row group, of those that are heavy, together; of the heaviest row group. */
  pages: number;
}

/** Pages below this are as those of everybody's: twice what one of ours weighs, which a footer's guess may come to. */
export const heavyPage = 5 * 1024 * 1024;

/**
 * Bytes that a value takes beside its page's: its levels and its index in a dictionary, and where it is not one of a
 * dictionary already, what it takes to look whether it was there before.
 */
const valueBytes = { indexed: 6, other: 32 };

/** What a page takes: its bytes, and what its values take on top. */
export function pageWeight(
  page: Pick<PageHeader, "uncompressedSize" | "numValues" | "encoding">,
): number {
  const each = isIndexed(page.encoding) ? valueBytes.indexed : valueBytes.other;
  return page.uncompressedSize + page.numValues * each;
}

function isIndexed(one: number): boolean {
  return one === encoding.RLE_DICTIONARY || one === encoding.PLAIN_DICTIONARY;
}

/** Adds up weights column by column; {@link groupEnds} after each row group. */
export class PageWeighing {
  #group = 0;
  readonly weights: PageWeights = { page: 0, pages: 0 };

  /** @param weight of the chunk's heaviest page */
  addChunk(weight: number): void {
    if (weight >= heavyPage) this.#group += weight;
    this.weights.page = Math.max(this.weights.page, weight);
  }

  groupEnds(): void {
    this.weights.pages = Math.max(this.weights.pages, this.#group);
    this.#group = 0;
  }
}

/**
 * The weights as far as a footer tells: where it counts a chunk's data pages, they are taken for even, and the
 * heaviest for twice the mean; else for a single one.
 */
export function heaviestPages({ rowGroups }: FileMetaData): PageWeights {
  const weighing = new PageWeighing();
  for (const group of rowGroups) weighGroup(group, weighing);
  return weighing.weights;
}

/** The same of one row group. */
export function weighGroup({ columns, numRows }: RowGroup, weighing: PageWeighing): void {
  if (numRows === 0) return;
  for (const { metaData } of columns) {
    const { totalUncompressedSize: uncompressedSize, numValues, encodings } = metaData!;
    const pages = countPages(metaData!);
    const all = pageWeight({
      uncompressedSize,
      numValues,
      encoding: encodings.find(isIndexed) ?? encoding.PLAIN,
    });
    weighing.addChunk(pages <= 1 ? all : Math.min(all, Math.ceil(2 * all / pages)));
  }
  weighing.groupEnds();
}

/** Data pages of a chunk by its encoding_stats, 0 without. */
function countPages({ encodingStats }: ColumnMetaData): number {
  return (encodingStats ?? []).reduce((sum, stats) => {
    const data = stats.pageType === pageType.DATA_PAGE || stats.pageType === pageType.DATA_PAGE_V2;
    return data ? sum + stats.count : sum;
  }, 0);
}
