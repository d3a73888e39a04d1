/** What pages take in the memory of a merge, for the planner: a page must be there whole. */
import type { PageHeader } from "./page_header.ts";
import { type ColumnMetaData, type FileMetaData, pageType } from "./metadata.ts";
import type { SchemaNode, SchemaTree } from "./schema.ts";

/** Bytes that pages take once they are read. */
export interface PageWeights {
  /** The heaviest page. */
  page: number;
  /** The heaviest page of each column of a row group, together; of the row group where that is the most. */
  pages: number;
}

/** Bytes of a dictionary's index as it waits. */
const indexBytes = 4;

/** What a data page takes: its bytes, and each value's levels and place in a dictionary. */
export function pageWeight(
  { uncompressedSize, numValues }: Pick<PageHeader, "uncompressedSize" | "numValues">,
  leaf: SchemaNode,
): number {
  const levels = (leaf.definitionLevel > 0 ? 1 : 0) + (leaf.repetitionLevel > 0 ? 1 : 0);
  return uncompressedSize + numValues * (indexBytes + levels);
}

/** Adds up weights column by column; {@link groupEnds} after each row group. */
export class PageWeighing {
  #group = 0;
  readonly weights: PageWeights = { page: 0, pages: 0 };

  /** @param weight of the chunk's heaviest page */
  addChunk(weight: number): void {
    this.#group += weight;
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
export function heaviestPages({ rowGroups }: FileMetaData, tree: SchemaTree): PageWeights {
  const weighing = new PageWeighing();
  for (const { columns, numRows } of rowGroups) {
    if (numRows === 0) continue;
    columns.forEach(({ metaData }, i) => {
      const pages = countPages(metaData!);
      const { totalUncompressedSize: uncompressedSize, numValues } = metaData!;
      const all = pageWeight({ uncompressedSize, numValues }, tree.leaves[i]);
      weighing.addChunk(pages <= 1 ? all : Math.min(all, Math.ceil(2 * all / pages)));
    });
    weighing.groupEnds();
  }
  return weighing.weights;
}

/** Data pages of a chunk by its encoding_stats, 0 without. */
function countPages({ encodingStats }: ColumnMetaData): number {
  return (encodingStats ?? []).reduce((sum, stats) => {
    const data = stats.pageType === pageType.DATA_PAGE || stats.pageType === pageType.DATA_PAGE_V2;
    return data ? sum + stats.count : sum;
  }, 0);
}
