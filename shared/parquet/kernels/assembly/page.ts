/** Makes pages from a column's pending part: levels, values, bounds; then drops what the page took. */
import { BYTE_ARRAY, BOOLEAN, Column, DICTIONARY, OPEN, PLAIN, startGroup } from "./column";
import { gatherBytes, gatherFixed } from "./gather_values";
import { encodeIndices, encodeLevels, hybridBound } from "./hybrid";
import { rebuildTable } from "./intern";
import { alloc, free, reserve } from "./memory";
import { clearStats, findBounds } from "./order";
import { snappyBound, snappyEncode } from "./snappy";

// what the page holds that was made last
let rawPtr: usize = 0;
let rawLength: u32 = 0;
let rawBuffer: usize = 0;
let packedBuffer: usize = 0;
let pageRows: u32 = 0;
let pageLevels: u32 = 0;
let pagePresent: u32 = 0;
let pageValueBytes: u32 = 0;
let usedBuffer: usize = 0;

export function getRawPtr(): usize {
  return rawPtr;
}
export function getRawLength(): u32 {
  return rawLength;
}
export function getPackedPtr(): usize {
  return packedBuffer;
}
export function getPageRows(): u32 {
  return pageRows;
}
export function getPageLevels(): u32 {
  return pageLevels;
}
export function getPagePresent(): u32 {
  return pagePresent;
}

/** Entries of the pending levels that the first `rows` rows take. */
function levelsOf(c: Column, rows: u32): u32 {
  if (rows >= c.rows) return c.count;
  if (c.maxRep == 0) return rows;
  let starts: u32 = 0;
  for (let i: u32 = 0; i < c.count; i++) {
    if (load<u8>(c.reps + i) == 0) {
      if (starts == rows) return i;
      starts++;
    }
  }
  return c.count;
}

function countLevel(p: usize, n: u32, level: u32): u32 {
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
function bytesOf(c: Column, n: u32): u32 {
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
  for (let i: u32 = 0; i < c.count; i++) {
    if (c.maxRep == 0 || load<u8>(c.reps + i) == 0) {
      if (at > bytes && rows > 1) return rows - 1;
      rows++;
    }
    if (c.maxDef == 0 || load<u8>(c.defs + i) == c.maxDef) {
      at += c.type == BYTE_ARRAY ? 4 + load<u32>(c.values + at) : c.width;
    }
  }
  return at > bytes && rows > 1 ? rows - 1 : rows;
}

@inline
function widthOf(level: u32): u32 {
  return 32 - clz<u32>(level);
}

/**
 * Makes a V1 data page from the first `rows` pending rows: level streams and values, uncompressed, and the
 * bounds of its values (statsPtr). The column's mode must be decided. False when memory is over.
 */
export function makePage(column: usize, rows: u32): bool {
  const c = changetype<Column>(column);
  const levels = levelsOf(c, rows);
  const present = rows >= c.rows ? c.present : c.maxDef == 0 ? levels : countLevel(c.defs, levels, c.maxDef);
  pageRows = min<u32>(rows, c.rows);
  pageLevels = levels;
  pagePresent = present;
  const plain = c.mode == PLAIN;
  pageValueBytes = plain ? bytesOf(c, present) : 0;
  const indexWidth = plain || c.entryCount < 2 ? 0 : widthOf(c.entryCount - 1);
  let need: u32 = 64;
  if (c.maxRep > 0) need += hybridBound(levels, widthOf(c.maxRep));
  if (c.maxDef > 0) need += hybridBound(levels, widthOf(c.maxDef));
  need += plain ? pageValueBytes : hybridBound(present, indexWidth);
  if (plain && c.maxRep == 0 && c.maxDef == 0 && c.type != BOOLEAN) {
    rawPtr = c.values;
    rawLength = pageValueBytes;
    findBounds(c, c.values, present, 0);
    return true;
  }
  const grown = reserve(rawBuffer, 0, need);
  if (grown == 0) return false;
  rawBuffer = grown;
  let op = grown;
  if (c.maxRep > 0) {
    const end = encodeLevels(c.reps, levels, widthOf(c.maxRep), op + 4);
    store<u32>(op, <u32> (end - op - 4));
    op = end;
  }
  if (c.maxDef > 0) {
    const end = encodeLevels(c.defs, levels, widthOf(c.maxDef), op + 4);
    store<u32>(op, <u32> (end - op - 4));
    op = end;
  }
  if (!plain) {
    const used = reserve(usedBuffer, 0, c.entryCount + 8);
    if (used == 0) return false;
    usedBuffer = used;
    memory.fill(used, 0, c.entryCount);
    for (let i: u32 = 0; i < present; i++) {
      store<u8>(used + load<u32>(c.indices + (<usize> i << 2)), 1);
    }
    if (present > 0) findBounds(c, c.entries, c.entryCount, used);
    else clearStats();
    store<u8>(op++, <u8> indexWidth);
    op = encodeIndices(c.indices, present, indexWidth, op);
  } else if (c.type == BOOLEAN) {
    findBounds(c, c.values, present, 0);
    const bytes = (present + 7) >> 3;
    for (let i: u32 = 0; i < bytes; i++) {
      let w = load<u64>(c.values + (<usize> i << 3));
      const here = present - (i << 3);
      if (here < 8) w &= (<u64> 1 << (here << 3)) - 1;
      store<u8>(op++, <u8> ((w * 0x0102040810204080) >> 56));
    }
  } else {
    findBounds(c, c.values, present, 0);
    memory.copy(op, c.values, pageValueBytes);
    op += pageValueBytes;
  }
  rawPtr = grown;
  rawLength = <u32> (op - grown);
  return true;
}

/** The dictionary page of the row group, uncompressed: the entries are PLAIN already. */
export function makeDictionaryPage(column: usize): void {
  const c = changetype<Column>(column);
  rawPtr = c.entries;
  rawLength = c.entryBytes;
}

/** Compresses what {@link makePage} made with snappy; gives the length at {@link getPackedPtr}, 0 when memory is over. */
export function packSnappy(): u32 {
  const grown = reserve(packedBuffer, 0, snappyBound(rawLength));
  if (grown == 0) return 0;
  packedBuffer = grown;
  return snappyEncode(rawPtr, rawLength, grown);
}

/** Drops what the last page took from the pending part, and moves the rest to the front. */
export function dropPage(column: usize): void {
  const c = changetype<Column>(column);
  const levels = c.count - pageLevels;
  if (levels > 0) {
    if (c.maxDef > 0) memory.copy(c.defs, c.defs + pageLevels, levels);
    if (c.maxRep > 0) memory.copy(c.reps, c.reps + pageLevels, levels);
  }
  const present = c.present - pagePresent;
  if (c.mode == PLAIN) {
    const bytes = c.valueBytes - pageValueBytes;
    if (bytes > 0) memory.copy(c.values, c.values + pageValueBytes, bytes);
    c.valueBytes = bytes;
  } else if (present > 0) {
    memory.copy(c.indices, c.indices + (<usize> pagePresent << 2), <usize> present << 2);
  }
  c.count = levels;
  c.rows -= pageRows;
  c.present = present;
  c.pagedValues += pagePresent;
}

/** The PLAIN bytes of the pending values while they are indices. */
export function plainBytesOf(column: usize): f64 {
  const c = changetype<Column>(column);
  if (c.mode == PLAIN) return c.valueBytes;
  if (c.type != BYTE_ARRAY) return <f64> c.present * c.width;
  let sum: u64 = 0;
  for (let i: u32 = 0; i < c.present; i++) {
    const id = load<u32>(c.indices + (<usize> i << 2));
    sum += 4 + load<u32>(c.entries + load<u32>(c.entryStarts + (<usize> id << 2)));
  }
  return <f64> sum;
}

/** Settles on the dictionary for the row group. */
export function chooseDictionary(column: usize): void {
  const c = changetype<Column>(column);
  if (c.mode == OPEN) c.mode = DICTIONARY;
}

/** Goes on in PLAIN: the pending indices become values. Entries that pages refer to stay. */
export function choosePlain(column: usize): bool {
  const c = changetype<Column>(column);
  if (c.mode == PLAIN) return true;
  c.valueBytes = 0;
  const ok = c.type == BYTE_ARRAY
    ? gatherBytes(c, c.entries, c.entryStarts, c.indices, c.present)
    : gatherFixed(c, c.entries, c.indices, c.present);
  if (!ok) return false;
  c.mode = PLAIN;
  free(c.indices);
  c.indices = 0;
  free(c.table);
  c.table = 0;
  c.tableMask = 0;
  return true;
}

/** Goes back to the checkpoint: what was appended since is forgotten, the dictionary's entries too. */
export function rollback(column: usize): void {
  const c = changetype<Column>(column);
  c.count = c.keptCount;
  c.rows = c.keptRows;
  c.present = c.keptPresent;
  c.valueBytes = c.keptValueBytes;
  if (c.entryCount != c.keptEntryCount && c.mode != PLAIN) {
    c.entryCount = c.keptEntryCount;
    c.entryBytes = c.keptEntryBytes;
    rebuildTable(c);
  }
}

/** Appends `rows` rows that are null from definition level `level` down. */
export function appendNulls(column: usize, rows: u32, level: u32): bool {
  const c = changetype<Column>(column);
  const defs = reserve(c.defs, c.count, c.count + rows + 8);
  if (defs == 0) return false;
  c.defs = defs;
  memory.fill(defs + c.count, <u8> level, rows);
  if (c.maxRep > 0) {
    const reps = reserve(c.reps, c.count, c.count + rows + 8);
    if (reps == 0) return false;
    c.reps = reps;
    memory.fill(reps + c.count, 0, rows);
  }
  c.count += rows;
  c.rows += rows;
  return true;
}

/**
 * Fills a nested leaf that the source lacks: the sibling's levels from entry `from` on, without those that
 * repeat deeper than the common ancestor (`maxRep`), definition cut at the ancestor's (`maxDef`).
 */
export function appendFromSibling(
  column: usize,
  sibling: usize,
  from: u32,
  maxRep: u32,
  maxDef: u32,
): bool {
  const c = changetype<Column>(column);
  const s = changetype<Column>(sibling);
  const n = s.count - from;
  const defs = reserve(c.defs, c.count, c.count + n + 8);
  if (defs == 0) return false;
  c.defs = defs;
  if (c.maxRep > 0) {
    const reps = reserve(c.reps, c.count, c.count + n + 8);
    if (reps == 0) return false;
    c.reps = reps;
  }
  for (let i = from; i < s.count; i++) {
    const rep: u32 = s.maxRep > 0 ? load<u8>(s.reps + i) : 0;
    if (rep > maxRep) continue;
    const def: u32 = s.maxDef > 0 ? load<u8>(s.defs + i) : 0;
    store<u8>(defs + c.count, min<u32>(def, maxDef));
    if (c.maxRep > 0) store<u8>(c.reps + c.count, rep);
    if (rep == 0) c.rows++;
    c.count++;
  }
  return true;
}

/** Where the levels of the last `rows` pending rows begin. */
export function levelsBeforeRows(column: usize, rows: u32): u32 {
  const c = changetype<Column>(column);
  return rows > c.rows ? 0 : levelsOf(c, c.rows - rows);
}

// plain accessors for TypeScript, which keeps no layout of its own
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
