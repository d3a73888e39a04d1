/** What the first rows of a column's pending part take, and what the column tells TypeScript, which keeps no layout. */
import { BYTE_ARRAY, Column, PLAIN } from "./column";
import { dropPacked } from "./packed_values";

/** Entries of the pending levels that the first `rows` rows take. */
export function levelsOf(c: Column, rows: u32): u32 {
  if (rows >= c.rows) return c.count;
  if (c.maxRep == 0) return rows;
  let starts: u32 = 0;
  const stored = c.count - c.tail;
  for (let i: u32 = 0; i < stored; i++) {
    if (load<u8>(c.reps + i) == 0) {
      if (starts == rows) return i;
      starts++;
    }
  }
  return stored + (rows - starts);
}

export function countLevel(p: usize, n: u32, level: u32): u32 {
  const splat: u64 = <u64> level * 0x0101010101010101;
  let count: u32 = 0;
  let i: u32 = 0;
  while (i + 8 <= n) {
    if (load<u64>(p + i) == splat) count += 8;
    else for (let k: u32 = 0; k < 8; k++) count += u32(load<u8>(p + i + k) == level);
    i += 8;
  }
  for (; i < n; i++) count += u32(load<u8>(p + i) == level);
  return count;
}

/** Bytes that the first `n` pending PLAIN values take. */
export function bytesOf(c: Column, n: u32): u32 {
  if (n >= c.present) return c.valueBytes;
  if (c.type != BYTE_ARRAY) return n * c.width;
  let at: u32 = 0;
  for (let i: u32 = 0; i < n; i++) at += 4 + load<u32>(c.values + at);
  return at;
}

/** The rows from the front whose PLAIN values stay within `bytes`, one at least. */
export function rowsWithin(column: usize, bytes: u32): u32 {
  const c = changetype<Column>(column);
  if (c.mode != PLAIN || c.valueBytes <= bytes) return c.rows;
  let at: u32 = 0;
  let rows: u32 = 0;
  const stored = c.count - c.tail;
  for (let i: u32 = 0; i < stored; i++) {
    if (c.maxRep == 0 || load<u8>(c.reps + i) == 0) {
      if (at > bytes && rows > 1) return rows - 1;
      rows++;
    }
    if (c.maxDef == 0 || load<u8>(c.defs + i) == c.maxDef) {
      at += c.type == BYTE_ARRAY ? 4 + load<u32>(c.values + at) : c.width;
    }
  }
  return at > bytes && rows > 1 ? rows - 1 : rows + c.tail;
}

/** Drops rows from the front of the pending part, with what they take of it, and moves the rest there. */
export function dropFront(c: Column, rows: u32, levels: u32, values: u32, valueBytes: u32): void {
  const stored = c.count - c.tail;
  const taken = min<u32>(levels, stored);
  if (stored > taken) {
    if (c.maxDef > 0) memory.copy(c.defs, c.defs + taken, stored - taken);
    if (c.maxRep > 0) memory.copy(c.reps, c.reps + taken, stored - taken);
  }
  c.tail -= levels - taken;
  const present = c.present - values;
  if (c.mode == PLAIN) {
    const bytes = c.valueBytes - valueBytes;
    if (bytes > 0) memory.copy(c.values, c.values + valueBytes, bytes);
    c.valueBytes = bytes;
    dropPacked(c, valueBytes);
  } else if (present > 0) {
    memory.copy(c.indices, c.indices + (<usize> values << 2), <usize> present << 2);
  }
  c.count -= levels;
  c.rows -= rows;
  c.present = present;
}

/** Where the levels of the last `rows` pending rows begin. */
export function levelsBeforeRows(column: usize, rows: u32): u32 {
  const c = changetype<Column>(column);
  return rows > c.rows ? 0 : levelsOf(c, c.rows - rows);
}

export function columnMode(column: usize): u32 {
  return changetype<Column>(column).mode;
}
export function columnRows(column: usize): u32 {
  return changetype<Column>(column).rows;
}
export function columnCount(column: usize): u32 {
  return changetype<Column>(column).count;
}
export function columnPresent(column: usize): u32 {
  return changetype<Column>(column).present;
}
export function columnValueBytes(column: usize): u32 {
  return changetype<Column>(column).valueBytes;
}
export function columnEntryCount(column: usize): u32 {
  return changetype<Column>(column).entryCount;
}
export function columnEntryBytes(column: usize): u32 {
  return changetype<Column>(column).entryBytes;
}
