/** Makes pages from a column's pending part: levels, values, bounds; then drops what the page took. */
import { BOOLEAN, Column, OPEN, PLAIN } from "./column";
import { encodeIndices, encodeLevels, encodeRun, hybridBound } from "./encode_hybrid";
import { reserve } from "./memory";
import { clearStats, findBounds } from "./value_bounds";
import { bytesOf, countLevel, dropFront, levelsOf } from "./pending";
import { packBound, packPage } from "./packed_values";
import { snappyBound, snappyEncode, useSlots } from "./snappy";
import { writeSome } from "./tail";

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
/** The column whose first pending values are the end of what the page holds; 0 where they are not. */
let pageColumn: usize = 0;

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
  const made = encodePage(c, rows, true);
  if (c.stretchCount > 0 && pageValueBytes > 0) pageColumn = column;
  return made;
}

/** Makes a page's body, with the bounds of its values where `bounds` says so. */
export function encodePage(c: Column, rows: u32, bounds: bool): bool {
  pageColumn = 0;
  const levels = levelsOf(c, rows);
  // only counted nulls are written as one run, behind whole runs of 32
  let stored = min<u32>(levels, c.count - c.tail);
  const fill = min<u32>(levels - stored, (32 - (stored & 31)) & 31);
  if (!writeSome(c, fill)) return false;
  stored += fill;
  const nulls = levels - stored;
  const present = rows >= c.rows ? c.present : c.maxDef == 0 ? levels : countLevel(c.defs, stored, c.maxDef);
  pageRows = min<u32>(rows, c.rows);
  pageLevels = levels;
  pagePresent = present;
  // a page of nulls needs no choice of a dictionary or PLAIN
  const plain = c.mode == PLAIN || (c.mode == OPEN && present == 0);
  pageValueBytes = plain ? bytesOf(c, present) : 0;
  const indexWidth = plain || c.entryCount < 2 ? 0 : widthOf(c.entryCount - 1);
  let need: u32 = 64;
  if (c.maxRep > 0) need += hybridBound(levels, widthOf(c.maxRep));
  if (c.maxDef > 0) need += hybridBound(levels, widthOf(c.maxDef));
  need += plain ? pageValueBytes : hybridBound(present, indexWidth);
  if (plain && c.maxRep == 0 && c.maxDef == 0 && c.type != BOOLEAN) {
    rawPtr = c.values;
    rawLength = pageValueBytes;
    if (bounds) findBounds(c, c.values, present, 0);
    return true;
  }
  const grown = reserve(rawBuffer, 0, need);
  if (grown == 0) return false;
  rawBuffer = grown;
  let op = grown;
  if (c.maxRep > 0) {
    const end = encodeRun(0, nulls, encodeLevels(c.reps, stored, widthOf(c.maxRep), op + 4));
    store<u32>(op, <u32> (end - op - 4));
    op = end;
  }
  if (c.maxDef > 0) {
    const end = encodeRun(c.tailDef, nulls, encodeLevels(c.defs, stored, widthOf(c.maxDef), op + 4));
    store<u32>(op, <u32> (end - op - 4));
    op = end;
  }
  if (!plain) {
    if (bounds && !boundUsed(c, present)) return false;
    store<u8>(op++, <u8> indexWidth);
    op = encodeIndices(c.indices, present, indexWidth, op);
  } else if (c.type == BOOLEAN) {
    if (bounds) findBounds(c, c.values, present, 0);
    const bytes = (present + 7) >> 3;
    for (let i: u32 = 0; i < bytes; i++) {
      let w = load<u64>(c.values + (<usize> i << 3));
      const here = present - (i << 3);
      if (here < 8) w &= (<u64> 1 << (here << 3)) - 1;
      store<u8>(op++, <u8> ((w * 0x0102040810204080) >> 56));
    }
  } else {
    if (bounds) findBounds(c, c.values, present, 0);
    memory.copy(op, c.values, pageValueBytes);
    op += pageValueBytes;
  }
  rawPtr = grown;
  rawLength = <u32> (op - grown);
  return true;
}

/** Bounds of the dictionary's entries that the first `present` indices use. */
function boundUsed(c: Column, present: u32): bool {
  const used = reserve(usedBuffer, 0, c.entryCount + 8);
  if (used == 0) return false;
  usedBuffer = used;
  memory.fill(used, 0, c.entryCount);
  for (let i: u32 = 0; i < present; i++) {
    store<u8>(used + load<u32>(c.indices + (<usize> i << 2)), 1);
  }
  if (present > 0) findBounds(c, c.entries, c.entryCount, used);
  else clearStats();
  return true;
}

/** The dictionary page of the row group, uncompressed: the entries are PLAIN already. */
export function makeDictionaryPage(column: usize): void {
  const c = changetype<Column>(column);
  pageColumn = 0;
  rawPtr = c.entries;
  rawLength = c.entryBytes;
}

/**
 * Compresses what {@link makePage} made with snappy, which looks for matches by 2^`bits` slots at most; gives the length at
 * {@link getPackedPtr}, 0 when memory is over.
 */
export function packSnappy(bits: u32): u32 {
  useSlots(bits);
  const c = changetype<Column>(pageColumn);
  const grown = reserve(packedBuffer, 0, pageColumn == 0 ? snappyBound(rawLength) : packBound(c, rawLength));
  if (grown == 0) return 0;
  packedBuffer = grown;
  if (pageColumn != 0) return packPage(c, rawPtr, rawLength, pageValueBytes, grown);
  return snappyEncode(rawPtr, rawLength, grown);
}

/** Drops what the last page took from the pending part, and moves the rest to the front. */
export function dropPage(column: usize): void {
  dropFront(changetype<Column>(column), pageRows, pageLevels, pagePresent, pageValueBytes);
}
