/**
 * Lays out rows from the front of a column's pending part, which must be PLAIN, as Arrow has them (Columnar Format,
 * "Fixed-Size Primitive Layout" and "Variable-size Binary Layout"): a bit a slot that says whether it is null, values
 * with room where one is null, offsets of byte arrays. What is made stands in buffers of this module until the next call.
 */
import { BOOLEAN, BYTE_ARRAY, Column } from "./column";
import { failMemory } from "./errors";
import { reserve } from "./memory";
import { countLevel, dropFront } from "./pending";
import { writeTail } from "./tail";

// what was taken last
let rowsTaken: u32 = 0;
let levelsTaken: u32 = 0;
let presentTaken: u32 = 0;
let bytesTaken: u32 = 0;

let defs: usize = 0;
let reps: usize = 0;
let source: usize = 0;

let slots: u32 = 0;
let nulls: u32 = 0;
let valuesAt: usize = 0;
let valuesBytes: u32 = 0;

let bitmap: usize = 0;
let values: usize = 0;
let offsets: usize = 0;

export function arrowLevels(): u32 {
  return levelsTaken;
}
export function arrowSlots(): u32 {
  return slots;
}
/** Slots that are null; 0: there is no bitmap. */
export function arrowNulls(): u32 {
  return nulls;
}
export function arrowBitmap(): usize {
  return bitmap;
}
export function arrowValues(): usize {
  return valuesAt;
}
export function arrowValueBytes(): u32 {
  return valuesBytes;
}
/** Of byte arrays: one i32 more than slots. */
export function arrowOffsets(): usize {
  return offsets;
}
/** The definition levels of the rows that were taken, a byte each; of no use where the column's highest is 0. */
export function arrowDefs(): usize {
  return defs;
}
export function arrowReps(): usize {
  return reps;
}

/**
 * How far a column was taken. What was taken stays in the pending part until {@link settle}: moving the rest to the front
 * for each batch would cost more than the batch where a page is as large as a row group.
 */
@unmanaged
class Cursor {
  rows: u32;
  levels: u32;
  present: u32;
  bytes: u32;
}

/** Levels of `rows` rows from entry `from` on, of a column in a list. */
function levelsFrom(c: Column, from: u32, rows: u32): u32 {
  let starts: u32 = 0;
  for (let i = from; i < c.count; i++) {
    if (load<u8>(c.reps + i) == 0) {
      if (starts == rows) return i - from;
      starts++;
    }
  }
  return c.count - from;
}

function bytesFrom(c: Column, from: u32, n: u32): u32 {
  if (c.type != BYTE_ARRAY) return n * c.width;
  let at = from;
  for (let i: u32 = 0; i < n; i++) at += 4 + load<u32>(c.values + at);
  return at - from;
}

/**
 * Lays out the values of the next `rows` rows behind the cursor (four zeros at first). False when memory is over.
 * @param slotLevel definition level of the entries of the innermost list around the leaf, 0 where there is none: levels
 * below it stand for no value and no null of the leaf, but for a list that is null or empty
 */
export function takeRows(column: usize, cursor: usize, rows: u32, slotLevel: u32): bool {
  const c = changetype<Column>(column);
  const from = changetype<Cursor>(cursor);
  if (!writeTail(c)) return false;
  const all = rows >= c.rows - from.rows;
  const count = all ? c.count - from.levels : c.maxRep == 0 ? rows : levelsFrom(c, from.levels, rows);
  defs = c.defs + from.levels;
  reps = c.reps + from.levels;
  const present = all ? c.present - from.present : c.maxDef == 0 ? count : countLevel(defs, count, c.maxDef);
  rowsTaken = all ? c.rows - from.rows : rows;
  levelsTaken = count;
  presentTaken = present;
  bytesTaken = all ? c.valueBytes - from.bytes : bytesFrom(c, from.bytes, present);
  source = c.values + from.bytes;
  slots = count;
  if (slotLevel > 0) {
    slots = 0;
    for (let i: u32 = 0; i < count; i++) slots += u32(load<u8>(defs + i) >= slotLevel);
  }
  nulls = slots - present;
  if (nulls > 0 && !layOutBitmap(c, slotLevel)) return false;
  if (c.type == BYTE_ARRAY) return layOutBytes(c, slotLevel);
  if (c.type == BOOLEAN) return layOutBits(c, slotLevel);
  return layOutFixed(c, slotLevel);
}

/** Moves the cursor behind what {@link takeRows} took last. */
export function dropTaken(cursor: usize): void {
  const from = changetype<Cursor>(cursor);
  from.rows += rowsTaken;
  from.levels += levelsTaken;
  from.present += presentTaken;
  from.bytes += bytesTaken;
}

/** Drops what lies before the cursor, which is 0 then. */
export function settle(column: usize, cursor: usize): void {
  const from = changetype<Cursor>(cursor);
  if (from.rows == 0) return;
  dropFront(changetype<Column>(column), from.rows, from.levels, from.present, from.bytes);
  memory.fill(cursor, 0, offsetof<Cursor>());
}

function layOutBitmap(c: Column, slotLevel: u32): bool {
  const bytes = (slots + 7) >> 3;
  const grown = reserve(bitmap, 0, bytes + 8);
  if (grown == 0) return false;
  bitmap = grown;
  const full = c.maxDef;
  let byte: u32 = 0;
  let slot: u32 = 0;
  for (let i: u32 = 0; i < levelsTaken; i++) {
    const level: u32 = load<u8>(defs + i);
    if (level < slotLevel) continue;
    byte |= u32(level == full) << (slot & 7);
    if ((slot & 7) == 7) {
      store<u8>(grown + (slot >> 3), <u8> byte);
      byte = 0;
    }
    slot++;
  }
  if ((slot & 7) != 0) store<u8>(grown + (slot >> 3), <u8> byte);
  return true;
}

function layOutFixed(c: Column, slotLevel: u32): bool {
  const width = c.width;
  const bytes = <u64> slots * width;
  if (bytes > 0x3fff0000) return failMemory(<u32> min<u64>(bytes, 0xffffffff)) != 0;
  valuesBytes = <u32> bytes;
  valuesAt = source;
  if (nulls == 0) return true;
  const grown = reserve(values, 0, valuesBytes + 16);
  if (grown == 0) return false;
  values = grown;
  valuesAt = grown;
  const full = c.maxDef;
  let src = source;
  let dst = grown;
  if (width == 8) {
    for (let i: u32 = 0; i < levelsTaken; i++) {
      const level: u32 = load<u8>(defs + i);
      if (level == full) {
        store<u64>(dst, load<u64>(src));
        src += 8;
      } else if (level < slotLevel) continue;
      else store<u64>(dst, 0);
      dst += 8;
    }
  } else if (width == 4) {
    for (let i: u32 = 0; i < levelsTaken; i++) {
      const level: u32 = load<u8>(defs + i);
      if (level == full) {
        store<u32>(dst, load<u32>(src));
        src += 4;
      } else if (level < slotLevel) continue;
      else store<u32>(dst, 0);
      dst += 4;
    }
  } else {
    for (let i: u32 = 0; i < levelsTaken; i++) {
      const level: u32 = load<u8>(defs + i);
      if (level == full) {
        memory.copy(dst, src, width);
        src += width;
      } else if (level < slotLevel) continue;
      else memory.fill(dst, 0, width);
      dst += width;
    }
  }
  return true;
}

/** Booleans wait a byte each; Arrow packs eight. */
function layOutBits(c: Column, slotLevel: u32): bool {
  valuesBytes = (slots + 7) >> 3;
  const grown = reserve(values, 0, valuesBytes + 8);
  if (grown == 0) return false;
  values = grown;
  valuesAt = grown;
  const full = c.maxDef;
  let src = source;
  let byte: u32 = 0;
  let slot: u32 = 0;
  for (let i: u32 = 0; i < levelsTaken; i++) {
    const level: u32 = full == 0 ? 0 : load<u8>(defs + i);
    if (level == full) byte |= <u32> load<u8>(src++) << (slot & 7);
    else if (level < slotLevel) continue;
    if ((slot & 7) == 7) {
      store<u8>(grown + (slot >> 3), <u8> byte);
      byte = 0;
    }
    slot++;
  }
  if ((slot & 7) != 0) store<u8>(grown + (slot >> 3), <u8> byte);
  return true;
}

function layOutBytes(c: Column, slotLevel: u32): bool {
  // the values lose their lengths of 4 bytes
  valuesBytes = bytesTaken - 4 * presentTaken;
  const grown = reserve(values, 0, valuesBytes + 16);
  if (grown == 0) return false;
  values = grown;
  valuesAt = grown;
  const list = reserve(offsets, 0, (slots + 1) << 2);
  if (list == 0) return false;
  offsets = list;
  const full = c.maxDef;
  let src = source;
  let dst = grown;
  let slot = list;
  for (let i: u32 = 0; i < levelsTaken; i++) {
    const level: u32 = full == 0 ? 0 : load<u8>(defs + i);
    if (level < slotLevel) continue;
    store<u32>(slot, <u32> (dst - grown));
    slot += 4;
    if (level != full) continue;
    const length = load<u32>(src);
    src += 4;
    if (length <= 16) {
      // both have slack behind them
      store<u64>(dst, load<u64>(src));
      store<u64>(dst + 8, load<u64>(src + 8));
    } else memory.copy(dst, src, length);
    src += length;
    dst += length;
  }
  store<u32>(slot, <u32> (dst - grown));
  return true;
}
