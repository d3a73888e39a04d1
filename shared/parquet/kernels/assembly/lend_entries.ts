/** The dictionary of a chunk that is gathered: all of the column's, or the entries that the chunk's rows have. */
import { BYTE_ARRAY, Column, OPEN, PLAIN } from "./column";
import { gatherNumbers } from "./gather_numbers";
import { copyFew, reserve } from "./memory";
import { oneEach, valuesOfRow } from "./row_starts";
import { permutation } from "./sort";

/** Of each entry of the column its index in the chunk's dictionary and one, 0 where no row has it. */
let places: usize = 0;
/** Indices in the chunk's dictionary, row by row; where the next ones stand that were not taken, 0 where there are none. */
let indices: usize = 0;
let nextIndices: usize = 0;
/** The entries of the chunk that was begun last. */
let usedEntries: usize = 0;
let usedStarts: usize = 0;

/** Lends `target` the column's dictionary as it is. To be called after startGather. */
export function lendEntries(target: usize, column: usize): void {
  const c = changetype<Column>(column);
  const t = changetype<Column>(target);
  nextIndices = 0;
  t.mode = c.mode;
  t.entries = c.entries;
  t.entryBytes = c.entryBytes;
  t.entryCount = c.entryCount;
  t.entryStarts = c.entryStarts;
}

/**
 * Gives `target` the entries that the rows [from, from + n) of the permutation have, in the order in which they come. To be
 * called after startGather; they are there until it is called again. False when memory is over.
 */
export function lendUsedEntries(target: usize, column: usize, from: u32, n: u32): bool {
  const c = changetype<Column>(column);
  const t = changetype<Column>(target);
  lendEntries(target, column);
  if (c.mode == PLAIN || c.entryCount == 0) return true;
  const count = c.entryCount;
  const isBytes = c.type == BYTE_ARRAY;
  let grown = reserve(places, 0, count << 2);
  if (grown == 0) return false;
  places = grown;
  grown = reserve(usedEntries, 0, c.entryBytes);
  if (grown == 0) return false;
  usedEntries = grown;
  if (isBytes) {
    grown = reserve(usedStarts, 0, count << 2);
    if (grown == 0) return false;
    usedStarts = grown;
  }
  const rows = permutation + (<usize> from << 2);
  const values = valuesOf(c, rows, n);
  grown = reserve(indices, 0, (max(values, n) << 2) + 32);
  if (grown == 0) return false;
  indices = grown;
  // the column's rows are jumped to once; what follows goes by them in their new order
  gatherNumbers<u32>(c, c.indices, rows, n, grown);
  memory.fill(places, 0, <usize> count << 2);
  let kept: u32 = 0;
  let bytes: u32 = 0;
  for (let i: u32 = 0; i < values; i++) {
    const at = grown + (<usize> i << 2);
    const id = load<u32>(at);
    const place = places + (<usize> id << 2);
    if (load<u32>(place) == 0) {
      const start = isBytes ? load<u32>(c.entryStarts + (<usize> id << 2)) : id * c.width;
      const length = isBytes ? 4 + load<u32>(c.entries + start) : c.width;
      copyFew(usedEntries + bytes, c.entries + start, length);
      if (isBytes) store<u32>(usedStarts + (<usize> kept << 2), bytes);
      bytes += length;
      store<u32>(place, ++kept);
    }
    store<u32>(at, load<u32>(place) - 1);
  }
  nextIndices = grown;
  t.entries = usedEntries;
  t.entryStarts = isBytes ? usedStarts : 0;
  t.entryCount = kept;
  t.entryBytes = bytes;
  // a dictionary without entries is none: what is left are nulls
  if (kept == 0) t.mode = OPEN;
  return true;
}

/** Values of rows. */
function valuesOf(c: Column, rows: usize, n: u32): u32 {
  if (oneEach) return n;
  let values: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const first = valuesOfRow(load<u32>(rows + (<usize> i << 2)));
    values += <u32> (first >> 32) - <u32> first;
  }
  return values;
}

/**
 * Copies the next `n` indices in the chunk's dictionary, which are those of the rows that follow, to `to`; false where the
 * dictionary is the column's, whose indices hold.
 */
export function takeIndices(n: u32, to: usize): bool {
  if (nextIndices == 0) return false;
  memory.copy(to, nextIndices, <usize> n << 2);
  nextIndices += <usize> n << 2;
  return true;
}
