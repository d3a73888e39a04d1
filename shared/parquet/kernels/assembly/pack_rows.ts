/**
 * Rows that wait to be sorted: packed as a page would hold them, indices by their bits and levels by runs, which
 * takes half the memory of the pending part or less. TypeScript keeps them; unpacked a column at a time, when all
 * of it is needed.
 */
import { BOOLEAN, BYTE_ARRAY, Column, DICTIONARY, PLAIN } from "./column";
import { gatherBytes, gatherFixed } from "./gather_values";
import { decodeIndices, decodeLevels } from "./decode_hybrid";
import { free, reserve } from "./memory";
import { encodePage } from "./page";
import { snappyDecode } from "./snappy";
import { writeTail } from "./tail";

/** Scratch for indices that become values, and for what was compressed. */
let indexBuffer: usize = 0;
let bodyBuffer: usize = 0;

/** Makes a page's body of the whole pending part, whose mode must be decided. False when memory is over. */
export function packRows(column: usize): bool {
  const c = changetype<Column>(column);
  return encodePage(c, c.rows, false);
}

/** Room for levels and values that are to be unpacked, so that nothing is copied meanwhile. */
export function reserveRows(column: usize, levels: u32, present: u32, bytes: u32): bool {
  const c = changetype<Column>(column);
  if (!writeTail(c)) return false;
  if (c.maxDef > 0) {
    const defs = reserve(c.defs, c.count, c.count + levels + 8);
    if (defs == 0) return false;
    c.defs = defs;
  }
  if (c.maxRep > 0) {
    const reps = reserve(c.reps, c.count, c.count + levels + 8);
    if (reps == 0) return false;
    c.reps = reps;
  }
  if (c.mode == PLAIN) {
    const more = c.type == BOOLEAN ? present : bytes;
    const values = reserve(c.values, c.valueBytes, c.valueBytes + more + 8);
    if (values == 0) return false;
    c.values = values;
  } else {
    const indices = reserve(c.indices, c.present << 2, ((c.present + present) << 2) + 32);
    if (indices == 0) return false;
    c.indices = indices;
  }
  return true;
}

/**
 * Appends what {@link packRows} made in `mode`, for which there is room; `length` bytes by snappy where that is not
 * `unpacked`. False when memory is over.
 */
export function unpackRows(
  column: usize,
  mode: u32,
  rows: u32,
  levels: u32,
  present: u32,
  p: usize,
  length: u32,
  unpacked: u32,
): bool {
  const c = changetype<Column>(column);
  if (length != unpacked) {
    const room = reserve(bodyBuffer, 0, unpacked);
    if (room == 0) return false;
    bodyBuffer = room;
    if (!snappyDecode(p, length, room, unpacked)) return false;
    p = room;
  }
  const end = p + unpacked;
  if (c.maxRep > 0) {
    const bytes = load<u32>(p);
    if (!decodeLevels(p + 4, p + 4 + bytes, c.maxRep, levels, c.reps + c.count)) return false;
    p += 4 + bytes;
  }
  if (c.maxDef > 0) {
    const bytes = load<u32>(p);
    if (!decodeLevels(p + 4, p + 4 + bytes, c.maxDef, levels, c.defs + c.count)) return false;
    p += 4 + bytes;
  }
  if (present > 0 && !appendValues(c, mode, present, p, end)) return false;
  c.count += levels;
  c.rows += rows;
  c.present += present;
  return true;
}

/** Gives back the dictionary's entries where all values are PLAIN and no page refers to them. */
export function dropEntries(column: usize): void {
  const c = changetype<Column>(column);
  if (c.mode != PLAIN) return;
  free(c.entries);
  free(c.entryStarts);
  c.entries = 0;
  c.entryStarts = 0;
  c.entryCount = 0;
  c.entryBytes = 0;
}

function appendValues(c: Column, mode: u32, n: u32, p: usize, end: usize): bool {
  if (mode == DICTIONARY) {
    const width: u32 = load<u8>(p);
    if (c.mode == DICTIONARY) {
      const dst = c.indices + (<usize> c.present << 2);
      return decodeIndices(p + 1, end, width, n, c.entryCount, dst);
    }
    const room = reserve(indexBuffer, 0, (n << 2) + 32);
    if (room == 0) return false;
    indexBuffer = room;
    if (!decodeIndices(p + 1, end, width, n, c.entryCount, room)) return false;
    return c.type == BYTE_ARRAY
      ? gatherBytes(c, c.entries, c.entryStarts, room, n)
      : gatherFixed(c, c.entries, room, n);
  }
  if (c.type == BOOLEAN) {
    const dst = c.values + c.valueBytes;
    for (let i: u32 = 0; i < n; i++) store<u8>(dst + i, (<u32> load<u8>(p + (i >> 3)) >> (i & 7)) & 1);
    c.valueBytes += n;
    return true;
  }
  const bytes = <u32> (end - p);
  const values = reserve(c.values, c.valueBytes, c.valueBytes + bytes);
  if (values == 0) return false;
  c.values = values;
  memory.copy(values + c.valueBytes, p, bytes);
  c.valueBytes += bytes;
  return true;
}
