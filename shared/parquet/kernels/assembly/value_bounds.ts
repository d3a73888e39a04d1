/**
 * The smallest and largest of a page's values by the logical type's order (order.ts).
 * NaN is left out and counted; what has no defined order gives none. ±0 is widened in TypeScript.
 */
import { BYTE_ARRAY, Column } from "./column";
import {
  BOOL,
  BYTES,
  compareBytes,
  compareSigned,
  compareVariable,
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

/** The most bytes of a bound that are kept; more than the writer's truncation, so that it can round up. */
const KEEP: u32 = 128;
/** [found u32][min length u32][max length u32][nan count u32][min 128][max 128] */
export const STATS = memory.data(16 + 256);

export function statsPtr(): usize {
  return STATS;
}

@inline
function put(slot: u32, from: usize, length: u32): void {
  store<u32>(STATS + 4 + slot * 4, length);
  memory.copy(STATS + 16 + slot * KEEP, from, min<u32>(length, KEEP));
}

export function clearStats(): void {
  store<u32>(STATS, 0);
  store<u32>(STATS + 12, 0);
}

function putBoth(least: usize, most: usize, leastLength: u32, mostLength: u32): void {
  store<u32>(STATS, 1);
  put(0, least, leastLength);
  put(1, most, mostLength);
}

/**
 * Bounds of `n` PLAIN values at `p`. With `used` (a byte an entry, 0 = leave out) they are a dictionary's
 * entries. Booleans are a byte each.
 */
export function findBounds(c: Column, p: usize, n: u32, used: usize): void {
  clearStats();
  if (n == 0) return;
  const order = c.order;
  const all = used == 0;
  if (order == SIGNED32) {
    let least = i32.MAX_VALUE;
    let most = i32.MIN_VALUE;
    for (let i: u32 = 0; i < n; i++) {
      if (!all && !load<u8>(used + i)) continue;
      const v = load<i32>(p + (<usize> i << 2));
      least = min(least, v);
      most = max(most, v);
    }
    store<i32>(STATS + 16, least);
    store<i32>(STATS + 16 + KEEP, most);
    fixed(4);
  } else if (order == UNSIGNED32) {
    let least = u32.MAX_VALUE;
    let most: u32 = 0;
    for (let i: u32 = 0; i < n; i++) {
      if (!all && !load<u8>(used + i)) continue;
      const v = load<u32>(p + (<usize> i << 2));
      least = min(least, v);
      most = max(most, v);
    }
    store<u32>(STATS + 16, least);
    store<u32>(STATS + 16 + KEEP, most);
    fixed(4);
  } else if (order == SIGNED64) {
    let least = i64.MAX_VALUE;
    let most = i64.MIN_VALUE;
    for (let i: u32 = 0; i < n; i++) {
      if (!all && !load<u8>(used + i)) continue;
      const v = load<i64>(p + (<usize> i << 3));
      if (v < least) least = v;
      if (v > most) most = v;
    }
    store<i64>(STATS + 16, least);
    store<i64>(STATS + 16 + KEEP, most);
    fixed(8);
  } else if (order == UNSIGNED64) {
    let least = u64.MAX_VALUE;
    let most: u64 = 0;
    for (let i: u32 = 0; i < n; i++) {
      if (!all && !load<u8>(used + i)) continue;
      const v = load<u64>(p + (<usize> i << 3));
      if (v < least) least = v;
      if (v > most) most = v;
    }
    store<u64>(STATS + 16, least);
    store<u64>(STATS + 16 + KEEP, most);
    fixed(8);
  } else if (order == FLOAT64) {
    let least: f64 = Infinity;
    let most: f64 = -Infinity;
    let nans: u32 = 0;
    for (let i: u32 = 0; i < n; i++) {
      if (!all && !load<u8>(used + i)) continue;
      const v = load<f64>(p + (<usize> i << 3));
      if (v < least) least = v;
      if (v > most) most = v;
      nans += u32(v != v);
    }
    floats(nans, least <= most);
    store<f64>(STATS + 16, least);
    store<f64>(STATS + 16 + KEEP, most);
    store<u32>(STATS + 4, 8);
    store<u32>(STATS + 8, 8);
  } else if (order == FLOAT32 || order == FLOAT16) {
    let least: f32 = <f32> Infinity;
    let most: f32 = <f32> -Infinity;
    let leastAt: u32 = 0;
    let mostAt: u32 = 0;
    let nans: u32 = 0;
    const half = order == FLOAT16;
    for (let i: u32 = 0; i < n; i++) {
      if (!all && !load<u8>(used + i)) continue;
      const v = half ? halfToFloat(load<u16>(p + (<usize> i << 1))) : load<f32>(p + (<usize> i << 2));
      if (v < least) {
        least = v;
        leastAt = i;
      }
      if (v > most) {
        most = v;
        mostAt = i;
      }
      nans += u32(v != v);
    }
    floats(nans, least <= most);
    const width: u32 = half ? 2 : 4;
    put(0, p + leastAt * width, width);
    put(1, p + mostAt * width, width);
    if (!half) {
      // all values infinite: the loop kept its starting bounds
      store<f32>(STATS + 16, least);
      store<f32>(STATS + 16 + KEEP, most);
    } else if (least == <f32> Infinity || most == <f32> -Infinity) store<u32>(STATS, 0);
  } else if (order == BOOL) {
    let any: u32 = 0;
    let every: u32 = 1;
    for (let i: u32 = 0; i < n; i++) {
      const v: u32 = load<u8>(p + i);
      any |= v;
      every &= v;
    }
    store<u8>(STATS + 16, every);
    store<u8>(STATS + 16 + KEEP, any);
    fixed(1);
  } else if (order == BYTES || order == SIGNED_BYTES) {
    if (c.type == BYTE_ARRAY) {
      if (all) boundsOfPlain(order, p, n);
      else boundsOfEntries(order, c.entries, c.entryStarts, c.entryCount, used);
    } else boundsOfFixed(order, c.width, p, n, used);
  }
}

@inline
function fixed(width: u32): void {
  store<u32>(STATS, 1);
  store<u32>(STATS + 4, width);
  store<u32>(STATS + 8, width);
}

@inline
function floats(nans: u32, found: bool): void {
  store<u32>(STATS, u32(found));
  store<u32>(STATS + 12, nans);
}

function boundsOfPlain(order: u32, p: usize, n: u32): void {
  let least = p + 4;
  let leastLength = load<u32>(p);
  let most = least;
  let mostLength = leastLength;
  let at = p + 4 + leastLength;
  if (order == BYTES) {
    let leastPrefix = prefixOf(least, leastLength);
    let mostPrefix = leastPrefix;
    for (let i: u32 = 1; i < n; i++) {
      const length = load<u32>(at);
      const v = at + 4;
      const prefix = prefixOf(v, length);
      if (
        prefix < leastPrefix ||
        (prefix == leastPrefix && compareBytes(v, length, least, leastLength) < 0)
      ) {
        least = v;
        leastLength = length;
        leastPrefix = prefix;
      } else if (
        prefix > mostPrefix ||
        (prefix == mostPrefix && compareBytes(v, length, most, mostLength) > 0)
      ) {
        most = v;
        mostLength = length;
        mostPrefix = prefix;
      }
      at = v + length;
    }
  } else {
    for (let i: u32 = 1; i < n; i++) {
      const length = load<u32>(at);
      const v = at + 4;
      if (compareSigned(v, length, least, leastLength) < 0) {
        least = v;
        leastLength = length;
      } else if (compareSigned(v, length, most, mostLength) > 0) {
        most = v;
        mostLength = length;
      }
      at = v + length;
    }
  }
  putBoth(least, most, leastLength, mostLength);
}

/** Bounds of byte arrays that begin at `starts` behind `entries`; those whose byte in `used` is 0 are left out. */
export function boundsOfEntries(order: u32, entries: usize, starts: usize, count: u32, used: usize): void {
  let least: usize = 0;
  let most: usize = 0;
  let leastLength: u32 = 0;
  let mostLength: u32 = 0;
  let leastPrefix: u32 = 0;
  let mostPrefix: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    if (!load<u8>(used + i)) continue;
    const entry = entries + load<u32>(starts + (<usize> i << 2));
    const length = load<u32>(entry);
    const v = entry + 4;
    // prefixes of signed numbers say nothing
    const prefix: u32 = order == BYTES ? prefixOf(v, length) : 0;
    if (least == 0) {
      least = v;
      most = v;
      leastLength = length;
      mostLength = length;
      leastPrefix = prefix;
      mostPrefix = prefix;
    } else if (
      prefix < leastPrefix ||
      (prefix == leastPrefix && compareVariable(order, v, length, least, leastLength) < 0)
    ) {
      least = v;
      leastLength = length;
      leastPrefix = prefix;
    } else if (
      prefix > mostPrefix ||
      (prefix == mostPrefix && compareVariable(order, v, length, most, mostLength) > 0)
    ) {
      most = v;
      mostLength = length;
      mostPrefix = prefix;
    }
  }
  if (least != 0) putBoth(least, most, leastLength, mostLength);
}

/** Bounds of the integers of 4 or 8 bytes at `n` indices; false where the order is another. */
export function boundsOfNumbers(order: u32, entries: usize, indices: usize, n: u32): bool {
  if (order == SIGNED32) chosen<i32>(entries, indices, n, i32.MAX_VALUE, i32.MIN_VALUE);
  else if (order == UNSIGNED32) chosen<u32>(entries, indices, n, u32.MAX_VALUE, 0);
  else if (order == SIGNED64) chosen<i64>(entries, indices, n, i64.MAX_VALUE, i64.MIN_VALUE);
  else if (order == UNSIGNED64) chosen<u64>(entries, indices, n, u64.MAX_VALUE, 0);
  else return false;
  return true;
}

@inline
function chosen<T>(entries: usize, indices: usize, n: u32, highest: T, lowest: T): void {
  let least = highest;
  let most = lowest;
  const end = indices + (<usize> n << 2);
  for (let p = indices; p < end; p += 4) {
    const v = load<T>(entries + <usize> load<u32>(p) * sizeof<T>());
    least = min<T>(least, v);
    most = max<T>(most, v);
  }
  store<T>(STATS + 16, least);
  store<T>(STATS + 16 + KEEP, most);
  fixed(sizeof<T>());
}

/** Bounds of the byte arrays at `n` indices, of which there may be far fewer than entries. */
export function boundsOfChosen(order: u32, entries: usize, starts: usize, indices: usize, n: u32): void {
  let least: usize = 0;
  let most: usize = 0;
  let leastLength: u32 = 0;
  let mostLength: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const entry = entries + load<u32>(starts + (<usize> load<u32>(indices + (<usize> i << 2)) << 2));
    const length = load<u32>(entry);
    const v = entry + 4;
    if (least == 0) {
      least = v;
      most = v;
      leastLength = length;
      mostLength = length;
    } else if (compareVariable(order, v, length, least, leastLength) < 0) {
      least = v;
      leastLength = length;
    } else if (compareVariable(order, v, length, most, mostLength) > 0) {
      most = v;
      mostLength = length;
    }
  }
  if (least != 0) putBoth(least, most, leastLength, mostLength);
}

function boundsOfFixed(order: u32, width: u32, p: usize, n: u32, used: usize): void {
  let least: usize = 0;
  let most: usize = 0;
  for (let i: u32 = 0; i < n; i++) {
    if (used != 0 && !load<u8>(used + i)) continue;
    const v = p + i * width;
    if (least == 0) {
      least = v;
      most = v;
    } else if (compareVariable(order, v, width, least, width) < 0) least = v;
    else if (compareVariable(order, v, width, most, width) > 0) most = v;
  }
  if (least != 0) putBoth(least, most, width, width);
}
