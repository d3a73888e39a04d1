/** The choice of a dictionary or PLAIN for a row group, and going back to the checkpoint. */
import { BYTE_ARRAY, checkpoint, Column, DICTIONARY, OPEN, PLAIN, startGroup } from "./column";
import { gatherBytes, gatherFixed } from "./gather_values";
import { internPlain, rebuildTable } from "./intern";
import { free, reserve } from "./memory";
import { truncatePacked } from "./packed_values";
import { bytesOf } from "./pending";

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
  c.keptValueBytes = bytesOf(c, c.keptPresent);
  free(c.indices);
  c.indices = 0;
  free(c.table);
  c.table = 0;
  c.tableMask = 0;
  return true;
}

/**
 * Starts a row group with what is pending. The old dictionary is forgotten, so the pending values are interned anew;
 * with `plain` they become PLAIN bytes and stay so. False when memory is over.
 */
export function restartGroup(column: usize, plain: bool): bool {
  const c = changetype<Column>(column);
  if (!choosePlain(column)) return false;
  const count = c.count;
  const rows = c.rows;
  const present = c.present;
  const values = c.values;
  const bytes = c.valueBytes;
  const tail = c.tail;
  startGroup(column, plain);
  c.tail = tail;
  c.count = count;
  c.rows = rows;
  if (c.mode == PLAIN) {
    c.present = present;
    c.valueBytes = bytes;
  } else {
    c.values = 0;
    const indices = reserve(c.indices, 0, (present << 2) + 32);
    if (indices == 0) return false;
    c.indices = indices;
    if (present > 0 && !internPlain(c, values, bytes, present, indices)) return false;
    c.present = present;
    free(values);
  }
  checkpoint(column);
  return true;
}

/** Goes back to the checkpoint: what was appended since is forgotten, the dictionary's entries too. */
export function rollback(column: usize): void {
  const c = changetype<Column>(column);
  const stored = c.count - c.tail;
  c.tail = c.keptCount > stored ? c.keptCount - stored : 0;
  c.count = c.keptCount;
  c.rows = c.keptRows;
  c.present = c.keptPresent;
  c.valueBytes = c.keptValueBytes;
  truncatePacked(c);
  if (c.entryCount != c.keptEntryCount && c.mode != PLAIN) {
    c.entryCount = c.keptEntryCount;
    c.entryBytes = c.keptEntryBytes;
    rebuildTable(c);
  }
}
