/** Row groups that a sink moves by itself: the store copies them, and nobody reads their bytes. */
import { chunkExtent } from "../../inspect/check_chunks.ts";
import type { RowGroup } from "../../format/metadata.ts";
import type { RangeReader } from "../../format/range_reader.ts";
import type { FileWriter } from "../../write/file_writer.ts";

/**
 * Has the sink move a row group's chunks, when they lie together and the sink can. Only for what an earlier merge wrote:
 * no page is looked at, so the sink answers for the bytes being those that were written then.
 *
 * @returns where each chunk begins in the output; undefined when nothing was moved
 */
export async function moveChunks(
  reader: RangeReader,
  group: RowGroup,
  writer: FileWriter,
): Promise<number[] | undefined> {
  const extents = group.columns.map((chunk) => chunkExtent(chunk.metaData!));
  const inOrder = extents.toSorted((a, b) => a.start - b.start);
  const first = inOrder[0].start;
  let end = first;
  for (const { start, length } of inOrder) {
    if (start !== end) return undefined;
    end += length;
  }
  const to = writer.offset;
  if (!await writer.copy(reader, first, end - first)) return undefined;
  return extents.map(({ start }) => start - first + to);
}
