/**
 * The page indexes of a row group that is copied, as an earlier merge wrote them (format/page_index.ts): a column index stays
 * as it is, of an offset index the offsets move. What is not as we write it is TypeScript's to judge, by which all of them
 * went before: for thousands of chunks it took a tenth of the copy.
 */
import {
  BINARY,
  byte,
  FALSE,
  I32,
  I64,
  int,
  isBad,
  left,
  LIST,
  listOf,
  long,
  place,
  readFrom,
  skip,
  STRUCT,
  TRUE,
} from "./thrift";

/** Heads of fields whose ids follow each other. */
const LIST_FIELD: u32 = 0x10 | LIST;
const I32_FIELD: u32 = 0x10 | I32;
const I64_FIELD: u32 = 0x10 | I64;

/** Pages that a column index as we write it is of; 0 where it is otherwise. */
function pagesOf(index: usize, length: u32): u32 {
  readFrom(index, index + length);
  if (byte() != LIST_FIELD) return 0;
  const pages = listOf(TRUE);
  for (let i: u32 = 0; i < pages; i++) {
    const isNull = byte();
    if (isNull != TRUE && isNull != FALSE) return 0;
  }
  // least and greatest values
  for (let list = 0; list < 2; list++) {
    if (byte() != LIST_FIELD || listOf(BINARY) != pages) return 0;
    for (let i: u32 = 0; i < pages; i++) skip(BINARY);
  }
  if (byte() != I32_FIELD || <u32> int() > 2) return 0;
  if (byte() != LIST_FIELD || listOf(I64) != pages) return 0;
  for (let i: u32 = 0; i < pages; i++) long();
  return byte() == 0 && !isBad() && left() == 0 ? pages : 0;
}

function putLong(to: usize, value: i64): usize {
  let n: u64 = (<u64> value << 1) ^ <u64> (value >> 63);
  while (n >= 128) {
    store<u8>(to++, <u8> n | 128);
    n >>= 7;
  }
  store<u8>(to++, <u8> n);
  return to;
}

/**
 * Writes the offset index of a chunk of `rows` rows, whose bytes [start, end) are moved by `moved`, to `to`, where three times
 * its length have room; gives its new length. 0 where it, or the column index when there is one, is not as we write it or does
 * not fit the chunk or the other.
 */
export function moveIndexes(
  offsets: usize,
  offsetsLength: u32,
  columns: usize,
  columnsLength: u32,
  start: f64,
  end: f64,
  rows: f64,
  moved: f64,
  to: usize,
): u32 {
  const pages = columnsLength == 0 ? 0 : pagesOf(columns, columnsLength);
  if (columnsLength != 0 && pages == 0) return 0;
  readFrom(offsets, offsets + offsetsLength);
  if (byte() != LIST_FIELD) return 0;
  const count = listOf(STRUCT);
  if (count == 0 || (pages != 0 && count != pages)) return 0;
  const head = place() - offsets;
  memory.copy(to, offsets, head);
  let out = to + head;
  let free = <i64> start;
  let row: i64 = -1;
  for (let i: u32 = 0; i < count; i++) {
    if (byte() != I64_FIELD) return 0;
    const offset = long();
    const behind = place();
    if (byte() != I32_FIELD) return 0;
    const size = int();
    if (byte() != I64_FIELD) return 0;
    const firstRow = long();
    if (byte() != 0 || isBad()) return 0;
    if (offset < free || offset > <i64> end || size < 0) return 0;
    // the first page begins with the first row, and none is empty
    if (row == -1 ? firstRow != 0 : firstRow <= row) return 0;
    if (firstRow >= <i64> rows) return 0;
    free = offset + size;
    row = firstRow;
    store<u8>(out++, I64_FIELD);
    out = putLong(out, offset + <i64> moved);
    memory.copy(out, behind, place() - behind);
    out += place() - behind;
  }
  if (byte() != 0 || isBad() || left() != 0 || free > <i64> end) return 0;
  store<u8>(out++, 0);
  return <u32> (out - to);
}
