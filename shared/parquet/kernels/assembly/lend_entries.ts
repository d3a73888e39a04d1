/** The dictionary of a chunk that is gathered: all of the column's, or the entries that the chunk's rows have. */
import { BYTE_ARRAY, Column, OPEN, PLAIN } from "./column";
import { copyFew, reserve } from "./memory";
import { startOfValue, startsBehind } from "./row_starts";
import { permutation } from "./sort";

/** Of each entry of the column its index in the chunk's dictionary and one, 0 where no row has it. */
export let places: usize = 0;
/** Whether indices go through {@link places}. */
export let mapped: bool = false;
/** The entries of the chunk that was begun last. */
let usedEntries: usize = 0;
let usedStarts: usize = 0;

/** Lends `target` the column's dictionary as it is. To be called after startGather. */
export function lendEntries(target: usize, column: usize): void {
  const c = changetype<Column>(column);
  const t = changetype<Column>(target);
  mapped = false;
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
  memory.fill(places, 0, <usize> count << 2);
  let kept: u32 = 0;
  let bytes: u32 = 0;
  const rows = permutation + (<usize> from << 2);
  for (let i: u32 = 0; i < n && kept < count; i++) {
    const row = load<u32>(rows + (<usize> i << 2));
    const last = startsBehind(row);
    for (let k = startOfValue(row); k < last; k++) {
      const id = load<u32>(c.indices + (<usize> k << 2));
      const place = places + (<usize> id << 2);
      if (load<u32>(place) != 0) continue;
      const start = isBytes ? load<u32>(c.entryStarts + (<usize> id << 2)) : id * c.width;
      const length = isBytes ? 4 + load<u32>(c.entries + start) : c.width;
      copyFew(usedEntries + bytes, c.entries + start, length);
      if (isBytes) store<u32>(usedStarts + (<usize> kept << 2), bytes);
      bytes += length;
      store<u32>(place, ++kept);
    }
  }
  mapped = true;
  t.entries = usedEntries;
  t.entryStarts = isBytes ? usedStarts : 0;
  t.entryCount = kept;
  t.entryBytes = bytes;
  // a dictionary without entries is none: what is left are nulls
  if (kept == 0) t.mode = OPEN;
  return true;
}
