/** The key columns of a sort (which are flat), and how two rows compare by them. Nulls come last, NaN before them. */
import { BYTE_ARRAY, Column, PLAIN } from "./column";
import { alloc, free } from "./memory";
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
import { writeTail } from "./tail";

/**
 * What is kept of a key column: its order, whether it descends, its width (0 of byte arrays), the value of each row (0
 * where there is none), and the ranks of the dictionary's entries where they stand for the values.
 */
@unmanaged
export class Key {
  order: u32;
  descending: u32;
  width: u32;
  refs: usize;
  ranks: usize;
}

const MOST_KEYS: u32 = 16;
const KEYS = memory.data(16 * 20);
export let keyCount: u32 = 0;
export let rowCount: u32 = 0;
@inline
export function keyAt(i: u32): Key {
  return changetype<Key>(KEYS + i * 20);
}

/** Forgets the keys from the `from`-th on. */
export function dropKeys(from: u32): void {
  for (let i = from; i < keyCount; i++) {
    free(keyAt(i).refs);
    free(keyAt(i).ranks);
    keyAt(i).refs = 0;
    keyAt(i).ranks = 0;
  }
  keyCount = min<u32>(from, keyCount);
}

/** Forgets the keys of the last sort. */
export function clearKeys(): void {
  dropKeys(0);
}

/** Adds a flat column as a key. Only the first `sorting` keys of {@link sortRows} are sorted by. */
export function addKey(column: usize, descending: bool): bool {
  const c = changetype<Column>(column);
  if (keyCount == MOST_KEYS || !writeTail(c)) return false;
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
export function sortKey(key: Key, row: u32): u64 {
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
export function compareRows(a: u32, b: u32, sorting: u32): i32 {
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
