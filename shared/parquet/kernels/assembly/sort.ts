/**
 * Sorting and deduplicating the pending rows of a row group: a permutation of rows is found from the key
 * columns; gather.ts makes pages by it.
 */
import { lastWriters } from "./last_writers";
import { alloc, free, reserve } from "./memory";
import { BOOL, FLOAT16, SIGNED32, SIGNED64, SIGNED_BYTES, UNSIGNED64 } from "./order";
import { compareRows, Key, keyAt, keyCount, rowCount, sortKey } from "./sort_keys";

/** Rows in the order of the output, and how many. */
export let permutation: usize = 0;
let permuted: u32 = 0;

/** The permutation's length, after {@link sortRows}. */
export function permutationLength(): u32 {
  return permuted;
}

/** Shortens the permutation, from which the host has taken rows. */
export function setPermutationLength(rows: u32): void {
  permuted = rows;
}

/** Makes the permutation that leaves `n` rows where they are. False when memory is over. */
export function keepRows(n: u32): bool {
  const rows = reserve(permutation, 0, (n << 2) + 16);
  if (rows == 0) return false;
  permutation = rows;
  for (let row: u32 = 0; row < n; row++) store<u32>(rows + (<usize> row << 2), row);
  permuted = n;
  return true;
}

/** Where the permutation stands: u32 numbers of rows. */
export function permutationPtr(): usize {
  return permutation;
}

/**
 * The place in the permutation within `most` of `at` and nearest to it where the first sort key changes from one row to the
 * next; `at` where there is none. Keys must not have been cleared.
 */
export function keyChange(at: u32, most: u32): u32 {
  for (let by: u32 = 0; by <= most; by++) {
    if (at + by < permuted && keyChangesAt(at + by)) return at + by;
    if (at > by && keyChangesAt(at - by)) return at - by;
  }
  return at;
}

@inline
function keyChangesAt(at: u32): bool {
  const row = permutation + (<usize> at << 2);
  return compareRows(load<u32>(row - 4), load<u32>(row), 1) != 0;
}

/** Stable merge sort of rows in [from, to) of `rows` by all keys; `spare` is as large. */
function mergeSort(rows: usize, spare: usize, from: u32, to: u32, sorting: u32): void {
  if (to - from < 12) {
    for (let i = from + 1; i < to; i++) {
      const row = load<u32>(rows + (<usize> i << 2));
      let k = i;
      while (k > from && compareRows(load<u32>(rows + (<usize> (k - 1) << 2)), row, sorting) > 0) {
        store<u32>(rows + (<usize> k << 2), load<u32>(rows + (<usize> (k - 1) << 2)));
        k--;
      }
      store<u32>(rows + (<usize> k << 2), row);
    }
    return;
  }
  const middle = from + ((to - from) >> 1);
  mergeSort(rows, spare, from, middle, sorting);
  mergeSort(rows, spare, middle, to, sorting);
  memory.copy(spare + (<usize> from << 2), rows + (<usize> from << 2), <usize> (to - from) << 2);
  let a = from;
  let b = middle;
  for (let out = from; out < to; out++) {
    const takeA = b == to || (a < middle &&
      compareRows(load<u32>(spare + (<usize> a << 2)), load<u32>(spare + (<usize> b << 2)), sorting) <= 0);
    store<u32>(rows + (<usize> out << 2), load<u32>(spare + (<usize> (takeA ? a : b) << 2)));
    if (takeA) a++;
    else b++;
  }
}

/**
 * Finds the permutation: rows sorted by the keys [0, sorting), stable; of rows that are equal in the keys from
 * `sorting` on (when there are any) only the last one is kept. False when memory is over.
 */
export function sortRows(sorting: u32): bool {
  const n = rowCount;
  const rows = reserve(permutation, 0, (n << 2) + 16);
  if (rows == 0) return false;
  permutation = rows;
  let kept: u32 = 0;
  if (keyCount > sorting) {
    const found = lastWriters(rows, n, sorting);
    if (found < 0) return false;
    kept = found;
  } else {
    for (; kept < n; kept++) store<u32>(rows + (<usize> kept << 2), kept);
  }
  permuted = kept;
  if (sorting == 0 || kept < 2) return true;
  return radixSort(rows, kept, sorting);
}

/** Whether a key's numbers say all of its values, but for the highest two. */
@inline
function isNumber(key: Key): bool {
  return (key.order >= SIGNED32 && key.order <= BOOL) || key.order == FLOAT16;
}

let keysA: usize = 0;
let keysB: usize = 0;
let rowsB: usize = 0;
let counts: usize = 0;

/**
 * Sorts `rows` by one key's numbers, stably and by radix; keysA holds the sorted numbers afterwards. False when a value
 * of 64 bits has one of the two highest numbers, which several values share.
 */
function radixPass(rows: usize, n: u32, key: Key): bool {
  let any: u64 = 0;
  let all: u64 = 0xffffffffffffffff;
  let shared = false;
  for (let i: u32 = 0; i < n; i++) {
    const k = sortKey(key, load<u32>(rows + (<usize> i << 2)));
    store<u64>(keysA + (<usize> i << 3), k);
    any |= k;
    all &= k;
    if (k == 0xfffffffffffffffe) shared = true;
  }
  const differs = any & ~all;
  let fromRows = rows;
  let toRows = rowsB;
  for (let shift: u64 = 0; shift < 64; shift += 11) {
    if (((differs >> shift) & 2047) == 0) continue;
    memory.fill(counts, 0, 2048 << 2);
    for (let i: u32 = 0; i < n; i++) {
      const slot = counts + ((<usize> (load<u64>(keysA + (<usize> i << 3)) >> shift) & 2047) << 2);
      store<u32>(slot, load<u32>(slot) + 1);
    }
    let sum: u32 = 0;
    for (let i: u32 = 0; i < 2048; i++) {
      const count = load<u32>(counts + (i << 2));
      store<u32>(counts + (i << 2), sum);
      sum += count;
    }
    for (let i: u32 = 0; i < n; i++) {
      const k = load<u64>(keysA + (<usize> i << 3));
      const slot = counts + ((<usize> (k >> shift) & 2047) << 2);
      const at = load<u32>(slot);
      store<u32>(slot, at + 1);
      store<u64>(keysB + (<usize> at << 3), k);
      store<u32>(toRows + (<usize> at << 2), load<u32>(fromRows + (<usize> i << 2)));
    }
    let swap = keysA;
    keysA = keysB;
    keysB = swap;
    swap = fromRows;
    fromRows = toRows;
    toRows = swap;
  }
  if (fromRows != rows) memory.copy(rows, fromRows, <usize> n << 2);
  return !shared || (key.order != SIGNED64 && key.order != UNSIGNED64);
}

/**
 * Sorts by the keys [0, sorting): where all are numbers, by radix from the last key to the first; else by the
 * first key's, and then the runs of equal ones by comparing.
 */
function radixSort(rows: usize, n: u32, sorting: u32): bool {
  keysA = alloc(n << 3);
  keysB = alloc(n << 3);
  rowsB = alloc(n << 2);
  counts = alloc(2048 << 2);
  let ok = keysA != 0 && keysB != 0 && rowsB != 0 && counts != 0;
  if (ok) {
    let numbers = true;
    for (let i: u32 = 0; i < sorting; i++) numbers = numbers && isNumber(keyAt(i));
    if (numbers) {
      for (let i = sorting; i > 0 && numbers; i--) numbers = radixPass(rows, n, keyAt(i - 1));
    }
    if (!numbers) {
      // from the order of the inputs again: a pass that was in vain has moved rows
      ok = sortByNumber(rows, n);
      radixPass(rows, n, keyAt(0));
      const first = keyAt(0);
      let start: u32 = 0;
      for (let i: u32 = 1; i <= n; i++) {
        if (i < n && load<u64>(keysA + (<usize> i << 3)) == load<u64>(keysA + (<usize> start << 3))) continue;
        if (i - start > 1 && (sorting > 1 || !saysAll(first, load<u64>(keysA + (<usize> start << 3))))) {
          mergeSort(rows, rowsB, start, i, sorting);
        }
        start = i;
      }
    }
  }
  free(keysA);
  free(keysB);
  free(rowsB);
  free(counts);
  return ok;
}

/** Puts the rows back into rising order. */
function sortByNumber(rows: usize, n: u32): bool {
  let rising = true;
  for (let i: u32 = 1; i < n && rising; i++) {
    rising = load<u32>(rows + (<usize> i << 2)) > load<u32>(rows + (<usize> (i - 1) << 2));
  }
  if (rising) return true;
  const marks = alloc(rowCount);
  if (marks == 0) return false;
  memory.fill(marks, 0, rowCount);
  for (let i: u32 = 0; i < n; i++) store<u8>(marks + load<u32>(rows + (<usize> i << 2)), 1);
  let at: u32 = 0;
  for (let row: u32 = 0; row < rowCount; row++) {
    if (load<u8>(marks + row)) store<u32>(rows + (<usize> (at++) << 2), row);
  }
  free(marks);
  return true;
}

/** Whether equal numbers of a key mean equal values. */
function saysAll(key: Key, k: u64): bool {
  if (k == 0xffffffffffffffff) return true;
  if (key.order == SIGNED_BYTES || key.order == 8 || key.order == 0) return false;
  return k != 0xfffffffffffffffe;
}
