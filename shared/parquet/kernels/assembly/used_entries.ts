/** Rows that are left out leave nothing of them in the dictionary. */
import { BYTE_ARRAY, Column, OPEN, PLAIN } from "./column";
import { valueStarts } from "./gather";
import { alloc, free } from "./memory";
import { permutation, permutationLength } from "./sort";

/**
 * Takes the entries out of a column's dictionary that no row of the permutation has. To be called after startGather; the
 * column's rows that are not in the permutation are lost by it, and its hash table is not kept up. False when memory is
 * over.
 */
export function dropUnusedEntries(column: usize): bool {
  const c = changetype<Column>(column);
  if (c.mode == PLAIN || c.entryCount == 0) return true;
  // of each entry its new index and one, 0 where nothing has it
  const places = alloc(c.entryCount << 2);
  if (places == 0) return false;
  memory.fill(places, 0, <usize> c.entryCount << 2);
  const rows = permutationLength();
  for (let i: u32 = 0; i < rows; i++) {
    const row = load<u32>(permutation + (<usize> i << 2));
    const last = load<u32>(valueStarts + (<usize> row << 2), 4);
    for (let k = load<u32>(valueStarts + (<usize> row << 2)); k < last; k++) {
      store<u32>(places + (<usize> load<u32>(c.indices + (<usize> k << 2)) << 2), 1);
    }
  }
  let kept: u32 = 0;
  let bytes: u32 = 0;
  for (let id: u32 = 0; id < c.entryCount; id++) {
    const place = places + (<usize> id << 2);
    if (load<u32>(place) == 0) continue;
    const start = c.type == BYTE_ARRAY ? load<u32>(c.entryStarts + (<usize> id << 2)) : id * c.width;
    const length = c.type == BYTE_ARRAY ? 4 + load<u32>(c.entries + start) : c.width;
    memory.copy(c.entries + bytes, c.entries + start, length);
    if (c.type == BYTE_ARRAY) store<u32>(c.entryStarts + (<usize> kept << 2), bytes);
    bytes += length;
    store<u32>(place, ++kept);
  }
  for (let k: u32 = 0; k < c.present; k++) {
    const index = c.indices + (<usize> k << 2);
    const place = load<u32>(places + (<usize> load<u32>(index) << 2));
    store<u32>(index, place == 0 ? 0 : place - 1);
  }
  c.entryCount = kept;
  c.entryBytes = bytes;
  // a dictionary without entries is none: what is left are nulls
  if (kept == 0) c.mode = OPEN;
  free(places);
  return true;
}
