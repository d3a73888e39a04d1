/**
 * Sorting and deduplicating the pending rows of a row group: a permutation of rows is found from the key
 * columns (which are flat); gather.ts makes pages by it. Nulls come last, NaN before them.
 */
import { BYTE_ARRAY, Column, PLAIN } from "./column";
import { equalBytes, hashBytes } from "./intern";
import { alloc, free, reserve } from "./memory";
import {
  BOOL,
  BYTES,
  compareBytes,
  compareSigned,
  FLOAT16,
  FLOAT32,
  FLOAT64,
  halfToFloat,
  prefixOf,
  SIGNED32,
  SIGNED64,
  SIGNED_BYTES,
  UNSIGNED32,
  UNSIGNED64,
} from "./order";

/**
 * Of a key column: its order, whether it descends, its width (0 byte arrays), each row's value or 0, and the
 * ranks of a dictionary's entries when they stand for the values.
 */
@unmanaged
class Key {
  order: u32;
  descending: u32;
  width: u32;
  refs: usize;
  ranks: usize;
}

const MOST_KEYS: u32 = 16;
const KEYS = memory.data(16 * 20);
let keyCount: u32 = 0;
let rowCount: u32 = 0;
/** Rows in the order of the output, and how many. */
export let permutation: usize = 0;
let permuted: u32 = 0;

@inline
function keyAt(i: u32): Key {
  return changetype<Key>(KEYS + i * 20);
}

/** Forgets the keys of the last sort. */
export function clearKeys(): void {
  for (let i: u32 = 0; i < keyCount; i++) {
    free(keyAt(i).refs);
    free(keyAt(i).ranks);
    keyAt(i).refs = 0;
    keyAt(i).ranks = 0;
  }
  keyCount = 0;
}

/** The permutation's length, after {@link sortRows}. */
export function permutationLength(): u32 {
  return permuted;
}

/** Adds a flat column as a key. Only the first `sorting` keys of {@link sortRows} are sorted by. */
export function addKey(column: usize, descending: bool): bool {
  const c = changetype<Column>(column);
  if (keyCount == MOST_KEYS) return false;
  const refs = alloc(c.rows << 2);
  if (refs == 0) return false;
  const key = keyAt(keyCount++);
  key.order = c.order;
  key.descending = u32(descending);
  key.width = c.type == BYTE_ARRAY ? 0 : c.width;
  key.refs = refs;
  key.ranks = 0;
  rowCount = c.rows;
  const plain = c.mode == PLAIN;
  const isBytes = c.type == BYTE_ARRAY;
  if (!plain && c.order == BYTES && c.entryCount > 0) {
    // entries differ, so their ranks say all of the values
    if (!rankEntries(c, key)) return false;
  }
  let p = c.values;
  let index = c.indices;
  for (let row: u32 = 0; row < c.rows; row++) {
    let ref: usize = 0;
    if (c.maxDef == 0 || load<u8>(c.defs + row) == c.maxDef) {
      if (plain) {
        ref = p;
        p += isBytes ? 4 + load<u32>(p) : c.width;
      } else {
        const id = load<u32>(index);
        index += 4;
        if (key.ranks != 0) ref = key.ranks + (<usize> id << 2);
        else ref = c.entries + (isBytes ? load<u32>(c.entryStarts + (<usize> id << 2)) : id * c.width);
      }
    }
    store<u32>(refs + (<usize> row << 2), <u32> ref);
  }
  return true;
}

@inline
function entryOf(c: Column, id: u32): usize {
  return c.type == BYTE_ARRAY
    ? c.entries + load<u32>(c.entryStarts + (<usize> id << 2))
    : c.entries + id * c.width;
}

function compareEntries(c: Column, a: u32, b: u32): i32 {
  const p = entryOf(c, a);
  const q = entryOf(c, b);
  if (c.type != BYTE_ARRAY) return compareBytes(p, c.width, q, c.width);
  return compareBytes(p + 4, load<u32>(p), q + 4, load<u32>(q));
}

/** Sorts a dictionary's entries; the key's values become u32 ranks. */
function rankEntries(c: Column, key: Key): bool {
  const n = c.entryCount;
  let ids = alloc(n << 2);
  let spare = alloc(n << 2);
  const ranks = alloc(n << 2);
  if (ids == 0 || spare == 0 || ranks == 0) {
    free(ids);
    free(spare);
    free(ranks);
    return false;
  }
  for (let i: u32 = 0; i < n; i++) store<u32>(ids + (<usize> i << 2), i);
  // merged bottom up
  for (let width: u32 = 1; width < n; width <<= 1) {
    for (let from: u32 = 0; from < n; from += width << 1) {
      let a = from;
      const middle = min<u32>(from + width, n);
      let b = middle;
      const end = min<u32>(from + (width << 1), n);
      for (let out = from; out < end; out++) {
        const takeA = b == end || (a < middle &&
          compareEntries(c, load<u32>(ids + (<usize> a << 2)), load<u32>(ids + (<usize> b << 2))) <= 0);
        store<u32>(spare + (<usize> out << 2), load<u32>(ids + (<usize> (takeA ? a : b) << 2)));
        if (takeA) a++;
        else b++;
      }
    }
    const swap = ids;
    ids = spare;
    spare = swap;
  }
  for (let i: u32 = 0; i < n; i++) store<u32>(ranks + (<usize> load<u32>(ids + (<usize> i << 2)) << 2), i);
  free(ids);
  free(spare);
  key.ranks = ranks;
  key.order = UNSIGNED32;
  key.width = 4;
  return true;
}

@inline
function floatKey(v: f64): u64 {
  if (v != v) return 0xfffffffffffffffe;
  const bits = reinterpret<u64>(v + 0.0); // −0 sorts as 0
  return bits >> 63 ? ~bits : bits | 0x8000000000000000;
}

/** A number whose order is that of the values, or of their first bytes; nulls are the highest. */
function sortKey(key: Key, row: u32): u64 {
  const p: usize = load<u32>(key.refs + (<usize> row << 2));
  if (p == 0) return 0xffffffffffffffff;
  let k: u64;
  switch (key.order) {
    case SIGNED32:
      k = <u64> (<i64> load<i32>(p) + 0x80000000);
      break;
    case UNSIGNED32:
      k = load<u32>(p);
      break;
    case SIGNED64:
      k = load<u64>(p) ^ 0x8000000000000000;
      break;
    case UNSIGNED64:
      k = load<u64>(p);
      break;
    case FLOAT32:
      k = floatKey(load<f32>(p));
      break;
    case FLOAT64:
      k = floatKey(load<f64>(p));
      break;
    case FLOAT16:
      k = floatKey(halfToFloat(load<u16>(p)));
      break;
    case BOOL:
      k = load<u8>(p);
      break;
    default: {
      const n = key.width == 0 ? load<u32>(p) : key.width;
      const v = key.width == 0 ? p + 4 : p;
      if (key.order == SIGNED_BYTES) {
        // the sign alone: the rest is compared
        k = n > 0 && load<i8>(v) < 0 ? 0 : 1;
      } else {
        k = (<u64> prefixOf(v, n) << 32) | (n > 4 ? prefixOf(v + 4, n - 4) : 0);
      }
    }
  }
  if (key.descending) {
    // small numbers stay small, so that none of them meets the two highest
    const small = key.order == SIGNED32 || key.order == UNSIGNED32 || key.order == BOOL;
    k = small ? 0xffffffff - k : ~k;
  }
  // the highest is kept for nulls; values that would be it are compared
  return k == 0xffffffffffffffff ? 0xfffffffffffffffe : k;
}

function compareValues(key: Key, a: usize, b: usize): i32 {
  if (key.order >= SIGNED32 && key.order <= BOOL || key.order == FLOAT16) {
    return 0; // sort keys say all but for the highest two values
  }
  const an = key.width == 0 ? load<u32>(a) : key.width;
  const bn = key.width == 0 ? load<u32>(b) : key.width;
  if (key.width == 0) {
    a += 4;
    b += 4;
  }
  const d = key.order == SIGNED_BYTES ? compareSigned(a, an, b, bn) : compareBytes(a, an, b, bn);
  return key.descending ? -d : d;
}

/** Compares rows by the keys [0, sorting). */
function compareRows(a: u32, b: u32, sorting: u32): i32 {
  for (let i: u32 = 0; i < sorting; i++) {
    const key = keyAt(i);
    const x = sortKey(key, a);
    const y = sortKey(key, b);
    if (x != y) return x < y ? -1 : 1;
    const p: usize = load<u32>(key.refs + (<usize> a << 2));
    const q: usize = load<u32>(key.refs + (<usize> b << 2));
    if (p == q || p == 0 || q == 0) continue;
    if (x == 0xfffffffffffffffe && (key.order == SIGNED64 || key.order == UNSIGNED64)) {
      // the two highest share a sort key
      const d = load<u64>(p) == load<u64>(q)
        ? 0
        : (key.order == SIGNED64 ? load<i64>(p) < load<i64>(q) : load<u64>(p) < load<u64>(q))
        ? -1
        : 1;
      if (d != 0) return key.descending ? -d : d;
      continue;
    }
    const d = compareValues(key, p, q);
    if (d != 0) return d;
  }
  return 0;
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
    let size: u32 = 16;
    while (size < n << 1) size <<= 1;
    const table = alloc(size << 2);
    const dead = alloc(n);
    if (table == 0 || dead == 0) {
      free(table);
      free(dead);
      return false;
    }
    memory.fill(table, 0, <usize> size << 2);
    memory.fill(dead, 0, n);
    const shift = clz<u32>(size - 1);
    for (let row: u32 = 0; row < n; row++) {
      let hash: u32 = 0;
      for (let i = sorting; i < keyCount; i++) {
        const key = keyAt(i);
        const p: usize = load<u32>(key.refs + (<usize> row << 2));
        const h = p == 0 ? 7 : hashBytes(p, key.width == 0 ? 4 + load<u32>(p) : key.width);
        hash = rotl<u32>(hash, 5) ^ h;
      }
      let at = hash >> shift;
      while (true) {
        const slot = table + (<usize> at << 2);
        const other = load<u32>(slot);
        if (other == 0 || sameKey(other - 1, row, sorting)) {
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
 * Stable radix sort of `rows` by one key's numbers, which stand sorted at keysA afterwards. False when numbers
 * of 64-bit integers are among the two that share a place.
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
