/** A column's pending rows by the permutation that sort.ts found. */
import { BYTE_ARRAY, Column, PLAIN } from "./column";
import { reserve } from "./memory";
import { permutation } from "./sort";
import { writeTail } from "./tail";

/** For the column that is being permuted: where each row's levels, values and value bytes begin. */
let levelStarts: usize = 0;
export let valueStarts: usize = 0;
let byteStarts: usize = 0;

/** Prepares {@link gatherRows} for a column. */
export function startGather(column: usize): bool {
  const c = changetype<Column>(column);
  if (!writeTail(c)) return false;
  const rows = c.rows;
  let grown = reserve(valueStarts, 0, (rows << 2) + 16);
  if (grown == 0) return false;
  valueStarts = grown;
  if (c.maxRep > 0) {
    grown = reserve(levelStarts, 0, (rows << 2) + 16);
    if (grown == 0) return false;
    levelStarts = grown;
  }
  let row: u32 = 0;
  let value: u32 = 0;
  for (let i: u32 = 0; i < c.count; i++) {
    if (c.maxRep == 0 || load<u8>(c.reps + i) == 0) {
      if (c.maxRep > 0) store<u32>(levelStarts + (<usize> row << 2), i);
      store<u32>(valueStarts + (<usize> row << 2), value);
      row++;
    }
    value += c.maxDef == 0 ? 1 : u32(load<u8>(c.defs + i) == c.maxDef);
  }
  store<u32>(valueStarts + (<usize> row << 2), value);
  if (c.maxRep > 0) store<u32>(levelStarts + (<usize> row << 2), c.count);
  if (c.mode == PLAIN && c.type == BYTE_ARRAY) {
    grown = reserve(byteStarts, 0, (c.present << 2) + 16);
    if (grown == 0) return false;
    byteStarts = grown;
    let at: u32 = 0;
    for (let i: u32 = 0; i < c.present; i++) {
      store<u32>(byteStarts + (<usize> i << 2), at);
      at += 4 + load<u32>(c.values + at);
    }
    store<u32>(byteStarts + (<usize> c.present << 2), at);
  }
  return true;
}

/**
 * Fills `target` (a column of the same kind, whose dictionary is lent) with the rows [from, from + n) of the
 * permutation.
 */
export function gatherRows(target: usize, column: usize, from: u32, n: u32): bool {
  const c = changetype<Column>(column);
  const t = changetype<Column>(target);
  t.mode = c.mode;
  t.entries = c.entries;
  t.entryBytes = c.entryBytes;
  t.entryCount = c.entryCount;
  t.entryStarts = c.entryStarts;
  t.count = 0;
  t.present = 0;
  t.rows = n;
  t.valueBytes = 0;
  const rows = permutation + (<usize> from << 2);
  let levels: u32 = 0;
  let values: u32 = 0;
  let bytes: u64 = 0;
  const isBytes = c.type == BYTE_ARRAY;
  const plain = c.mode == PLAIN;
  for (let i: u32 = 0; i < n; i++) {
    const row = load<u32>(rows + (<usize> i << 2));
    const first = load<u32>(valueStarts + (<usize> row << 2));
    const last = load<u32>(valueStarts + (<usize> row << 2), 4);
    values += last - first;
    levels += c.maxRep == 0
      ? 1
      : load<u32>(levelStarts + (<usize> row << 2), 4) - load<u32>(levelStarts + (<usize> row << 2));
    if (plain && isBytes && last > first) {
      bytes += load<u32>(byteStarts + (<usize> last << 2)) - load<u32>(byteStarts + (<usize> first << 2));
    }
  }
  if (plain && !isBytes) bytes = <u64> values * c.width;
  if (bytes > 0x3fff0000) return false;
  if (c.maxDef > 0) {
    const grown = reserve(t.defs, 0, levels + 8);
    if (grown == 0) return false;
    t.defs = grown;
  }
  if (c.maxRep > 0) {
    const grown = reserve(t.reps, 0, levels + 8);
    if (grown == 0) return false;
    t.reps = grown;
  }
  if (plain) {
    const grown = reserve(t.values, 0, <u32> bytes + 8);
    if (grown == 0) return false;
    t.values = grown;
  } else {
    const grown = reserve(t.indices, 0, (values << 2) + 32);
    if (grown == 0) return false;
    t.indices = grown;
  }
  let level: u32 = 0;
  let out = plain ? t.values : t.indices;
  for (let i: u32 = 0; i < n; i++) {
    const row = load<u32>(rows + (<usize> i << 2));
    let first = load<u32>(valueStarts + (<usize> row << 2));
    const last = load<u32>(valueStarts + (<usize> row << 2), 4);
    if (c.maxRep > 0) {
      let k = load<u32>(levelStarts + (<usize> row << 2));
      const end = load<u32>(levelStarts + (<usize> row << 2), 4);
      for (; k < end; k++) {
        store<u8>(t.defs + level, load<u8>(c.defs + k));
        store<u8>(t.reps + level, load<u8>(c.reps + k));
        level++;
      }
    } else {
      if (c.maxDef > 0) store<u8>(t.defs + level, load<u8>(c.defs + row));
      level++;
    }
    if (!plain) {
      for (; first < last; first++) {
        store<u32>(out, load<u32>(c.indices + (<usize> first << 2)));
        out += 4;
      }
    } else if (isBytes) {
      if (last > first) {
        const start = load<u32>(byteStarts + (<usize> first << 2));
        const length = load<u32>(byteStarts + (<usize> last << 2)) - start;
        memory.copy(out, c.values + start, length);
        out += length;
      }
    } else if (c.width == 8) {
      for (; first < last; first++) {
        store<u64>(out, load<u64>(c.values + (<usize> first << 3)));
        out += 8;
      }
    } else if (c.width == 4) {
      for (; first < last; first++) {
        store<u32>(out, load<u32>(c.values + (<usize> first << 2)));
        out += 4;
      }
    } else {
      const length = (last - first) * c.width;
      memory.copy(out, c.values + first * c.width, length);
      out += length;
    }
  }
  t.count = levels;
  t.present = values;
  t.valueBytes = <u32> bytes;
  return true;
}

/** Takes the lent dictionary back, so that the column can be freed. */
export function endGather(target: usize): void {
  const t = changetype<Column>(target);
  t.entries = 0;
  t.entryStarts = 0;
  t.entryCount = 0;
  t.entryBytes = 0;
}
