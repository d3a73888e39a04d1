/** A column's pending rows by the permutation that sort.ts found. */
import { BYTE_ARRAY, Column, OPEN, PLAIN } from "./column";
import { gatherNumbers } from "./gather_numbers";
import { takeIndices } from "./lend_entries";
import { copyFew, reserve } from "./memory";
import { countLevel } from "./pending";
import { levelStarts, noteRowStarts, oneEach, startOfValue, startsBehind } from "./row_starts";
import { permutation } from "./sort";
import { writeTail } from "./tail";

/** For the column that is being permuted: where each row's value bytes begin. */
let byteStarts: usize = 0;

/** Prepares {@link gatherRows} for a column. */
export function startGather(column: usize): bool {
  const c = changetype<Column>(column);
  if (!writeTail(c)) return false;
  if (!noteRowStarts(c)) return false;
  if (c.mode == PLAIN && c.type == BYTE_ARRAY) {
    const grown = reserve(byteStarts, 0, (c.present << 2) + 16);
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
 * Fills `target` (a column of the same kind, to which lend_entries.ts gave a dictionary) with the rows [from, from + n) of
 * the permutation. False when memory is over.
 */
export function gatherRows(target: usize, column: usize, from: u32, n: u32): bool {
  const c = changetype<Column>(column);
  const t = changetype<Column>(target);
  t.count = 0;
  t.present = 0;
  t.rows = n;
  t.valueBytes = 0;
  const rows = permutation + (<usize> from << 2);
  let levels: u32 = n;
  let values: u32 = n;
  let bytes: u64 = 0;
  const isBytes = c.type == BYTE_ARRAY;
  const plain = c.mode == PLAIN;
  const counted = c.maxRep > 0 || (plain && isBytes);
  if (counted) {
    levels = 0;
    values = 0;
    for (let i: u32 = 0; i < n; i++) {
      const row = load<u32>(rows + (<usize> i << 2));
      const first = startOfValue(row);
      const last = startsBehind(row);
      values += last - first;
      levels += c.maxRep == 0
        ? 1
        : load<u32>(levelStarts + (<usize> row << 2), 4) - load<u32>(levelStarts + (<usize> row << 2));
      if (plain && isBytes && last > first) {
        bytes += load<u32>(byteStarts + (<usize> last << 2)) - load<u32>(byteStarts + (<usize> first << 2));
      }
    }
  }
  if (c.maxDef > 0 && !gatherLevels(t, c, rows, n, levels)) return false;
  // where the levels stand row by row they tell it faster than the rows, which are all over the column
  if (!counted && !oneEach) values = countLevel(t.defs, n, c.maxDef);
  if (plain && !isBytes) bytes = <u64> values * c.width;
  if (bytes > 0x3fff0000) return false;
  t.count = levels;
  t.present = values;
  t.valueBytes = <u32> bytes;
  if (t.mode == OPEN) return true; // nulls alone
  if (!plain) return gatherIndices(t, c, rows, n, values);
  const out = reserve(t.values, 0, <u32> max<u64>(bytes, <u64> n * c.width) + 8);
  if (out == 0) return false;
  t.values = out;
  if (isBytes) gatherByteArrays(c, rows, n, out);
  else if (c.width == 8) gatherNumbers<u64>(c, c.values, rows, n, out);
  else if (c.width == 4) gatherNumbers<u32>(c, c.values, rows, n, out);
  else if (c.width == 1) gatherNumbers<u8>(c, c.values, rows, n, out);
  else {
    let to = out;
    for (let i: u32 = 0; i < n; i++) {
      const row = load<u32>(rows + (<usize> i << 2));
      const first = startOfValue(row);
      const length = (startsBehind(row) - first) * c.width;
      copyFew(to, c.values + first * c.width, length);
      to += length;
    }
  }
  return true;
}

/** Levels of the rows. */
function gatherLevels(t: Column, c: Column, rows: usize, n: u32, levels: u32): bool {
  const defs = reserve(t.defs, 0, levels + 8);
  if (defs == 0) return false;
  t.defs = defs;
  if (c.maxRep == 0) {
    if (oneEach) memory.fill(defs, <u8> c.maxDef, n);
    else {
      for (let i: u32 = 0; i < n; i++) {
        store<u8>(defs + i, load<u8>(c.defs + load<u32>(rows + (<usize> i << 2))));
      }
    }
    return true;
  }
  const reps = reserve(t.reps, 0, levels + 8);
  if (reps == 0) return false;
  t.reps = reps;
  let level: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const row = load<u32>(rows + (<usize> i << 2));
    const end = load<u32>(levelStarts + (<usize> row << 2), 4);
    for (let k = load<u32>(levelStarts + (<usize> row << 2)); k < end; k++) {
      store<u8>(defs + level, load<u8>(c.defs + k));
      store<u8>(reps + level, load<u8>(c.reps + k));
      level++;
    }
  }
  return true;
}

/** Indices of the rows' values in the dictionary that was lent. */
function gatherIndices(t: Column, c: Column, rows: usize, n: u32, values: u32): bool {
  const out = reserve(t.indices, 0, (max(values, n) << 2) + 32);
  if (out == 0) return false;
  t.indices = out;
  if (!takeIndices(values, out)) gatherNumbers<u32>(c, c.indices, rows, n, out);
  return true;
}

function gatherByteArrays(c: Column, rows: usize, n: u32, to: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const row = load<u32>(rows + (<usize> i << 2));
    const first = startOfValue(row);
    const last = startsBehind(row);
    if (last == first) continue;
    const start = load<u32>(byteStarts + (<usize> first << 2));
    const length = load<u32>(byteStarts + (<usize> last << 2)) - start;
    copyFew(to, c.values + start, length);
    to += length;
  }
}

/** Takes the lent dictionary back, so that the column can be freed. */
export function endGather(target: usize): void {
  const t = changetype<Column>(target);
  t.entries = 0;
  t.entryStarts = 0;
  t.entryCount = 0;
  t.entryBytes = 0;
}
