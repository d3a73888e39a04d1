/** Interning values into a column's dictionary, by a hash that is seeded per instance. */
import { BYTE_ARRAY, Column } from "./column";
import { alloc, copyFew, free, reserve } from "./memory";

let seed: u64 = 0x9e3779b97f4a7c15;
let multiplier: u64 = 0xd6e8feb86659fd93;

/**
 * Sets the secret of the hash; the multiplier is made odd. Slots come from the highest bits of the product, on
 * which all bits of a value bear (multiply-shift, universal): lower ones don't see a double's exponent.
 */
export function seedHash(a: u32, b: u32, c: u32, d: u32): void {
  seed = (<u64> a << 32) | b;
  multiplier = ((<u64> c << 32) | d) | 1;
}

@inline
function hashWord(w: u64): u32 {
  return <u32> (((w ^ seed) * multiplier) >> 32);
}

/** A hash of a word whose bits all bear on all of its own, so that sums of them tell sets apart. */
@inline
export function hash64(w: u64): u64 {
  let h = (w ^ seed) * multiplier;
  h = (h ^ (h >> 32)) * 0x9e3779b97f4a7c15;
  return h ^ (h >> 32);
}

export function hashBytes(p: usize, n: u32): u32 {
  let h = seed ^ n;
  let i: u32 = 0;
  while (i + 8 <= n) {
    h = (h ^ load<u64>(p + i)) * multiplier;
    h ^= h >> 32;
    i += 8;
  }
  const rest = n - i;
  if (rest != 0) {
    h = (h ^ (load<u64>(p + i) & (((<u64> 1) << (rest << 3)) - 1))) * multiplier;
    h ^= h >> 32;
  }
  return <u32> ((h * multiplier) >> 32);
}

@inline
export function equalBytes(a: usize, b: usize, n: u32): bool {
  let i: u32 = 0;
  while (i + 8 <= n) {
    if (load<u64>(a + i) != load<u64>(b + i)) return false;
    i += 8;
  }
  const rest = n - i;
  return rest == 0 || ((load<u64>(a + i) ^ load<u64>(b + i)) << (64 - (rest << 3))) == 0;
}

/** Doubles the table, or makes the first; the hashes are kept in it. */
function growTable(c: Column): bool {
  const size: u32 = c.table == 0 ? 256 : (c.tableMask + 1) << 1;
  const bigger = alloc(size << 3);
  if (bigger == 0) return false;
  memory.fill(bigger, 0, <usize> size << 3);
  const mask = size - 1;
  const shift = clz<u32>(mask);
  if (c.table != 0) {
    for (let i: u32 = 0; i <= c.tableMask; i++) {
      const slot = load<u64>(c.table + (<usize> i << 3));
      if (slot == 0) continue;
      const top = <u32> (slot >> 32);
      // 4-byte values stand in their slot instead of a hash
      let at = (c.width == 4 ? hashWord(top) : top) >> shift;
      while (load<u64>(bigger + (<usize> at << 3)) != 0) at = (at + 1) & mask;
      store<u64>(bigger + (<usize> at << 3), slot);
    }
    free(c.table);
  }
  c.table = bigger;
  c.tableMask = mask;
  c.tableShift = shift;
  return true;
}

/** Room for `more` further entries of `bytes` bytes together, and a table at most half full. */
function prepare(c: Column, more: u32, bytes: u32): bool {
  const entries = reserve(c.entries, c.entryBytes, c.entryBytes + bytes);
  if (entries == 0) return false;
  c.entries = entries;
  if (c.type == BYTE_ARRAY) {
    const starts = reserve(c.entryStarts, c.entryCount << 2, (c.entryCount + more) << 2);
    if (starts == 0) return false;
    c.entryStarts = starts;
  }
  if (c.table != 0) return true;
  if (!growTable(c)) return false;
  // one that was given up while there were entries is made again
  while ((c.entryCount << 1) > c.tableMask) if (!growTable(c)) return false;
  if (c.entryCount > 0) rebuildTable(c);
  return true;
}

/** Values whose hashes are computed first, so that the table's cache lines come while others are used. */
const BATCH: u32 = 64;
const HASHES = memory.data(4 * 64);

/** Sum of what was touched ahead; kept so that the reads are not optimised away. */
let touched: u64 = 0;

/** Interns 4-byte values: the slot holds the value itself above the id. */
function intern4(c: Column, src: usize, n: u32, dst: usize): bool {
  // what the column says of its table in locals: behind a store it would be read again
  let table = c.table, shift = c.tableShift, mask = c.tableMask;
  for (let from: u32 = 0; from < n; from += BATCH) {
    const stop = min<u32>(n, from + BATCH);
    let sum: u64 = 0;
    for (let i = from; i < stop; i++) {
      const hash = hashWord(load<u32>(src + (<usize> i << 2)));
      store<u32>(HASHES + (<usize> (i - from) << 2), hash);
      sum += load<u64>(table + (<usize> (hash >> shift) << 3));
    }
    touched = sum;
    for (let i = from; i < stop; i++) {
      const key = load<u32>(src + (<usize> i << 2));
      let at = load<u32>(HASHES + (<usize> (i - from) << 2)) >> shift;
      let id: u32 = 0;
      while (true) {
        const slot = load<u64>(table + (<usize> at << 3));
        if (slot == 0) {
          store<u32>(c.entries + c.entryBytes, key);
          c.entryBytes += 4;
          id = added(c, at, key, c.entryCount);
          if (id == 0xffffffff) return false;
          table = c.table;
          shift = c.tableShift;
          mask = c.tableMask;
          break;
        }
        if (<u32> (slot >> 32) == key) {
          id = <u32> slot - 1;
          break;
        }
        at = (at + 1) & mask;
      }
      store<u32>(dst + (<usize> i << 2), id);
    }
  }
  return true;
}

/** Interns 8-byte values. */
function intern8(c: Column, src: usize, n: u32, dst: usize): bool {
  let table = c.table, shift = c.tableShift, mask = c.tableMask;
  const entries = c.entries;
  for (let from: u32 = 0; from < n; from += BATCH) {
    const stop = min<u32>(n, from + BATCH);
    let sum: u64 = 0;
    for (let i = from; i < stop; i++) {
      const hash = hashWord(load<u64>(src + (<usize> i << 3)));
      store<u32>(HASHES + (<usize> (i - from) << 2), hash);
      sum += load<u64>(table + (<usize> (hash >> shift) << 3));
    }
    touched = sum;
    for (let i = from; i < stop; i++) {
      const key = load<u64>(src + (<usize> i << 3));
      const hash = load<u32>(HASHES + (<usize> (i - from) << 2));
      let at = hash >> shift;
      let id: u32 = 0;
      while (true) {
        const slot = load<u64>(table + (<usize> at << 3));
        if (slot == 0) {
          store<u64>(entries + c.entryBytes, key);
          c.entryBytes += 8;
          id = added(c, at, hash, c.entryCount);
          if (id == 0xffffffff) return false;
          table = c.table;
          shift = c.tableShift;
          mask = c.tableMask;
          break;
        }
        if (<u32> (slot >> 32) == hash) {
          id = <u32> slot - 1;
          if (load<u64>(entries + (<usize> id << 3)) == key) break;
        }
        at = (at + 1) & mask;
      }
      store<u32>(dst + (<usize> i << 2), id);
    }
  }
  return true;
}

/** Fixed values of any other width. */
function insertFixed(c: Column, p: usize): u32 {
  const width = c.width;
  const hash = hashBytes(p, width);
  let at = hash >> c.tableShift;
  while (true) {
    const slot = load<u64>(c.table + (<usize> at << 3));
    if (slot == 0) break;
    const id = <u32> slot - 1;
    if (<u32> (slot >> 32) == hash && equalBytes(c.entries + id * width, p, width)) return id;
    at = (at + 1) & c.tableMask;
  }
  const id = c.entryCount;
  copyFew(c.entries + c.entryBytes, p, width);
  c.entryBytes += width;
  return added(c, at, hash, id);
}

/** A byte array at `p` of `n` bytes. */
function insertBytes(c: Column, p: usize, n: u32): u32 {
  const hash = hashBytes(p, n);
  let at = hash >> c.tableShift;
  while (true) {
    const slot = load<u64>(c.table + (<usize> at << 3));
    if (slot == 0) break;
    if (<u32> (slot >> 32) == hash) {
      const id = <u32> slot - 1;
      const entry = c.entries + load<u32>(c.entryStarts + (<usize> id << 2));
      if (load<u32>(entry) == n && equalBytes(entry + 4, p, n)) return id;
    }
    at = (at + 1) & c.tableMask;
  }
  const id = c.entryCount;
  const entry = c.entries + c.entryBytes;
  store<u32>(entry, n);
  copyFew(entry + 4, p, n);
  store<u32>(c.entryStarts + (<usize> id << 2), c.entryBytes);
  c.entryBytes += 4 + n;
  return added(c, at, hash, id);
}

/** Notes a new entry in the table; when there is no memory to grow it, it fills up and growth fails later. */
function added(c: Column, at: u32, hash: u32, id: u32): u32 {
  store<u64>(c.table + (<usize> at << 3), (<u64> hash << 32) | (id + 1));
  c.entryCount = id + 1;
  if (((id + 1) << 1) > c.tableMask && !growTable(c) && id + 2 > c.tableMask) return 0xffffffff;
  return id;
}

/**
 * Interns `n` PLAIN values at `src` (their bounds are checked already) and writes their ids as u32 to `dst`.
 * False when memory is over.
 */
export function internPlain(c: Column, src: usize, bytes: u32, n: u32, dst: usize): bool {
  if (!prepare(c, n, bytes)) return false;
  let bad: u32 = 0;
  if (c.type == BYTE_ARRAY) {
    let p = src;
    for (let i: u32 = 0; i < n; i++) {
      const length = load<u32>(p);
      const id = insertBytes(c, p + 4, length);
      if (id == 0xffffffff) bad = 1;
      store<u32>(dst + (<usize> i << 2), id);
      p += 4 + length;
      if (bad) break;
    }
  } else if (c.width == 8) {
    return intern8(c, src, n, dst);
  } else if (c.width == 4) {
    return intern4(c, src, n, dst);
  } else {
    for (let i: u32 = 0; i < n; i++) {
      const id = insertFixed(c, src + i * c.width);
      store<u32>(dst + (<usize> i << 2), id);
      if (id == 0xffffffff) return false;
    }
  }
  return bad == 0;
}

/** Builds the table again from the first `entryCount` entries: after a rollback has cut the dictionary. */
export function rebuildTable(c: Column): void {
  if (c.table == 0) return;
  memory.fill(c.table, 0, (<usize> c.tableMask + 1) << 3);
  for (let id: u32 = 0; id < c.entryCount; id++) {
    let hash: u32;
    let top: u32 = 0;
    if (c.type == BYTE_ARRAY) {
      const entry = c.entries + load<u32>(c.entryStarts + (<usize> id << 2));
      hash = hashBytes(entry + 4, load<u32>(entry));
    } else if (c.width == 8) hash = hashWord(load<u64>(c.entries + (<usize> id << 3)));
    else if (c.width == 4) {
      top = load<u32>(c.entries + (<usize> id << 2));
      hash = hashWord(top);
    } else hash = hashBytes(c.entries + id * c.width, c.width);
    let at = hash >> c.tableShift;
    while (load<u64>(c.table + (<usize> at << 3)) != 0) at = (at + 1) & c.tableMask;
    store<u64>(c.table + (<usize> at << 3), (<u64> (c.width == 4 ? top : hash) << 32) | (id + 1));
  }
}
