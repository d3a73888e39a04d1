/** Of rows with equal keys only the last one is kept. */
import { equalBytes, hashBytes } from "./intern";
import { alloc, free } from "./memory";
import { SIGNED32, SIGNED64, UNSIGNED32, UNSIGNED64 } from "./order";
import { Key, keyAt, keyCount, sortKey } from "./sort_keys";

/** Whether two rows have equal values, bit for bit, in the keys [from, keyCount). */
function sameKey(a: u32, b: u32, from: u32): bool {
  for (let i = from; i < keyCount; i++) {
    const key = keyAt(i);
    const p: usize = load<u32>(key.refs + (<usize> a << 2));
    const q: usize = load<u32>(key.refs + (<usize> b << 2));
    if (p == q) continue;
    if (p == 0 || q == 0) return false;
    const n = key.width == 0 ? 4 + load<u32>(p) : key.width;
    if (key.width == 0 && load<u32>(q) + 4 != n) return false;
    if (!equalBytes(p, q, n)) return false;
  }
  return true;
}

@inline
function isInteger(order: u32): bool {
  return order == SIGNED32 || order == UNSIGNED32 || order == SIGNED64 || order == UNSIGNED64;
}

/**
 * What {@link lastWriters} does where one key of integers never falls from row to row, as a number that counts does: rows
 * of equal keys follow each other then. -1 where it falls.
 */
function lastOfEach(rows: usize, n: u32, key: Key): i32 {
  let kept: u32 = 0;
  let before = sortKey(key, 0);
  for (let row: u32 = 1; row < n; row++) {
    const k = sortKey(key, row);
    // the highest but one stands for two values of 64 bits
    if (k < before || k == 0xfffffffffffffffe) return -1;
    if (k != before) store<u32>(rows + (<usize> (kept++) << 2), row - 1);
    before = k;
  }
  store<u32>(rows + (<usize> (kept++) << 2), n - 1);
  return kept;
}

/**
 * Writes to `rows`, in rising order, the rows that no later one equals in the keys from `from` on. Gives their
 * number, or -1 when memory is over.
 */
export function lastWriters(rows: usize, n: u32, from: u32): i32 {
  let kept: u32 = 0;
  const first = keyAt(from);
  if (keyCount - from == 1 && n > 0 && isInteger(first.order)) {
    const found = lastOfEach(rows, n, first);
    if (found >= 0) return found;
  }
  let size: u32 = 16;
  while (size < n << 1) size <<= 1;
  const table = alloc(size << 2);
  const dead = alloc(n);
  if (table == 0 || dead == 0) {
    free(table);
    free(dead);
    return -1;
  }
  memory.fill(table, 0, <usize> size << 2);
  memory.fill(dead, 0, n);
  const shift = clz<u32>(size - 1);
  for (let row: u32 = 0; row < n; row++) {
    let hash: u32 = 0;
    for (let i = from; i < keyCount; i++) {
      const key = keyAt(i);
      const p: usize = load<u32>(key.refs + (<usize> row << 2));
      const h = p == 0 ? 7 : hashBytes(p, key.width == 0 ? 4 + load<u32>(p) : key.width);
      hash = rotl<u32>(hash, 5) ^ h;
    }
    let at = hash >> shift;
    while (true) {
      const slot = table + (<usize> at << 2);
      const other = load<u32>(slot);
      if (other == 0 || sameKey(other - 1, row, from)) {
        if (other != 0) store<u8>(dead + other - 1, 1);
        store<u32>(slot, row + 1);
        break;
      }
      at = (at + 1) & (size - 1);
    }
  }
  for (let row: u32 = 0; row < n; row++) {
    if (!load<u8>(dead + row)) store<u32>(rows + (<usize> (kept++) << 2), row);
  }
  free(table);
  free(dead);
  return kept;
}
