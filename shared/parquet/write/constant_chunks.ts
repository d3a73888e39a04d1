/** The chunks of columns of one value (format/constant_columns.ts). */
import type { ConstantColumn } from "../format/constant_columns.ts";
import { codec, encoding, pageType } from "../format/metadata.ts";
import type { SchemaNode } from "../format/schema.ts";
import { valueOrder } from "../format/value_order.ts";
import type { FileWriter } from "./file_writer.ts";
import type { FinishedColumn, FinishedPage } from "./finished_column.ts";
import { GroupIndexes } from "./group_indexes.ts";
import { pageBytes } from "./page_bytes.ts";
import { writeChunk, type WrittenGroup } from "./row_group_writer.ts";

/** A page has no more rows, of the 16 million values that one may have: most row groups are one page. */
const pageRows = 8 * 1024 * 1024;

/** Pages are too small and too few to be worth a store. */
const room = { take: (size: number) => new Uint8Array(size) };

/**
 * Appends the columns' chunks to a row group that is written and closed. Its other chunks may lie elsewhere in the file:
 * once all row groups are there, those of the columns follow each other, so that a store that copies row groups by itself
 * isn't kept from it by small pieces in between.
 *
 * @param leaves the columns in the file's schema
 */
export async function appendConstants(
  file: FileWriter,
  { group, indexes }: WrittenGroup,
  columns: readonly ConstantColumn[],
  leaves: readonly SchemaNode[],
): Promise<void> {
  const more = new GroupIndexes();
  const before = file.offset;
  for (const [i, { value }] of columns.entries()) {
    const chunk = await writeChunk(file, constantChunk(leaves[i], value, group.numRows), more);
    group.columns.push(chunk);
    group.totalByteSize += chunk.metaData!.totalUncompressedSize;
  }
  if (group.totalCompressedSize !== undefined) {
    group.totalCompressedSize += file.offset - before;
  }
  more.close();
  indexes.append(more);
}

/**
 * A dictionary of one value and its index once, as often as there are rows. Not compressed: a page has some 40 bytes, and a
 * codec only adds to them.
 */
function constantChunk(leaf: SchemaNode, value: string, rows: number): FinishedColumn {
  const text = new TextEncoder().encode(value);
  const page = (type: number, valueEncoding: number, values: number, body: Uint8Array) => {
    const { bytes } = pageBytes(room, type, valueEncoding, values, body.length, body);
    return { bytes, uncompressedBytes: bytes.length };
  };
  const pages: FinishedPage[] = [];
  for (let left = rows; left > 0; left -= pageRows) {
    const count = Math.min(left, pageRows);
    pages.push({
      ...page(pageType.DATA_PAGE, encoding.RLE_DICTIONARY, count, oneIndex(count)),
      encoding: encoding.RLE_DICTIONARY,
      rows: count,
      values: count,
      nulls: 0,
      bounds: { min: text, max: text, minExact: true, maxExact: true },
    });
  }
  const entry = new Uint8Array(4 + text.length);
  new DataView(entry.buffer).setUint32(0, text.length, true);
  entry.set(text, 4);
  return {
    leaf,
    order: valueOrder(leaf),
    codec: codec.UNCOMPRESSED,
    pages,
    dictionaryPage: () => page(pageType.DICTIONARY_PAGE, encoding.PLAIN, 1, entry),
  };
}

/** Indices of one bit: a run of `count` zeros (Encodings.md, RLE). */
function oneIndex(count: number): Uint8Array {
  const bytes = [1];
  let header = count * 2;
  for (; header >= 128; header = Math.floor(header / 128)) bytes.push(header % 128 + 128);
  bytes.push(header, 0);
  return Uint8Array.from(bytes);
}
