/**
 * Sorting and deduplicating the pending rows of a row group: a permutation of rows is found from the key
 * columns; gather.ts makes pages by it.
 */
import { lastWriters } from "./last_writers";
import { alloc, free, reserve } from "./memory";
import { BOOL, FLOAT16, SIGNED32, SIGNED_BYTES } from "./order";
import { endRadix, noMemory, radixPass, spareRows, startRadix } from "./radix_pass";
import { compareRows, dropKeys, Key, keyAt, keyCount, rowCount, sortKey } from "./sort_keys";

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
    dropKeys(sorting);
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

/**
 * Sorts by the keys [0, sorting): where all are numbers, by radix from the last key to the first; else by the
 * first key's, and then the runs of equal ones by comparing.
 */
function radixSort(rows: usize, n: u32, sorting: u32): bool {
  if (!startRadix()) return false;
  let numbers = true;
  for (let i: u32 = 0; i < sorting; i++) numbers = numbers && isNumber(keyAt(i));
  if (numbers) {
    for (let i = sorting; i > 0 && numbers; i--) numbers = radixPass(rows, n, keyAt(i - 1));
  }
  // from the order of the inputs again: a pass that was in vain has moved rows
  const ok = numbers || (!noMemory && sortByNumber(rows, n) && sortRuns(rows, n, sorting));
  endRadix();
  return ok && !noMemory;
}

/** Sorts by the first key's numbers, and rows of equal ones by comparing. */
function sortRuns(rows: usize, n: u32, sorting: u32): bool {
  const first = keyAt(0);
  radixPass(rows, n, first);
  const spare = spareRows(n);
  if (noMemory) return false;
  let start: u32 = 0;
  let k = sortKey(first, load<u32>(rows));
  for (let i: u32 = 1; i <= n; i++) {
    const next = i < n ? sortKey(first, load<u32>(rows + (<usize> i << 2))) : 0;
    if (i < n && next == k) continue;
    if (i - start > 1 && (sorting > 1 || !saysAll(first, k))) mergeSort(rows, spare, start, i, sorting);
    start = i;
    k = next;
  }
  return true;
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
