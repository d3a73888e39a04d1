/**
 * The RLE / bit-packed hybrid (parquet-format Encodings.md, "RLE = 3"): levels as one byte each,
 * dictionary indices as four.
 */
import { BAD_LEVELS, fail, INDEX_PAST_DICTIONARY, LEVEL_OVER_MAX, VALUES_SHORT } from "./errors";

/** For each byte its eight bits as eight bytes. */
const SPREAD = memory.data(8 * 256);
let spreadReady = false;

function prepareSpread(): void {
  for (let b: u32 = 0; b < 256; b++) {
    for (let i: u32 = 0; i < 8; i++) store<u8>(SPREAD + b * 8 + i, (b >> i) & 1);
  }
  spreadReady = true;
}

/** Where the last run header ended, and the header; false when the bytes end inside of it. */
let at: usize = 0;
let header: u32 = 0;

@inline
function readHeader(end: usize): bool {
  let p = at;
  if (p >= end) return false;
  let b: u32 = load<u8>(p++);
  if (b < 128) {
    header = b;
    at = p;
    return true;
  }
  let value = b & 127;
  let shift: u32 = 7;
  while (true) {
    if (p >= end || shift > 28) return false;
    b = load<u8>(p++);
    value |= (b & 127) << shift;
    if (b < 128) break;
    shift += 7;
  }
  header = value;
  at = p;
  return true;
}

/** Of the levels decoded last: how many were the maximum, and how many 0. */
export let countMax: u32 = 0;
export let countZero: u32 = 0;

/**
 * Decodes `n` levels of at most `maxLevel` (> 0) into bytes at `dst` (8 bytes of slack), counting those that
 * are the maximum and those that are 0.
 */
export function decodeLevels(src: usize, end: usize, maxLevel: u32, n: u32, dst: usize): bool {
  const width: u32 = 32 - clz<u32>(maxLevel);
  let most: u32 = 0;
  let zero: u32 = 0;
  let left = n;
  let out = dst;
  at = src;
  while (left > 0) {
    if (!readHeader(end)) return <bool> fail(BAD_LEVELS, n - left, n);
    if (header & 1) {
      const groups = header >> 1;
      const count: u32 = groups >= (left >> 3) + 1 ? left : min<u32>(left, groups << 3);
      const bytes = (<u64> count * width + 7) >> 3;
      if (bytes > <u64> (end - at)) return <bool> fail(BAD_LEVELS, n - left, n);
      if (width == 1) {
        if (!spreadReady) prepareSpread();
        let i: u32 = 0;
        let ones: u32 = 0;
        const full = count & ~7;
        for (; i < full; i += 8) {
          const b: u32 = load<u8>(at + (i >> 3));
          store<u64>(out + i, load<u64>(SPREAD + (b << 3)));
          ones += popcnt<u32>(b);
        }
        if (i < count) {
          const b: u32 = load<u8>(at + (i >> 3));
          store<u64>(out + i, load<u64>(SPREAD + (b << 3)));
          ones += popcnt<u32>(b & ((1 << (count - i)) - 1));
        }
        most += ones;
        zero += count - ones;
      } else {
        const mask: u32 = (1 << width) - 1;
        let bit: u32 = 0;
        let over: u32 = 0;
        for (let i: u32 = 0; i < count; i++) {
          const v = (load<u32>(at + (bit >> 3)) >> (bit & 7)) & mask;
          bit += width;
          store<u8>(out + i, v);
          most += u32(v == maxLevel);
          zero += u32(v == 0);
          over |= u32(v > maxLevel);
        }
        if (over) return <bool> fail(LEVEL_OVER_MAX, maxLevel);
      }
      // a last run may be cut short by its writer: only the bytes that were needed must be there
      const whole = <u64> groups * width;
      at = whole > <u64> (end - at) ? end : at + <usize> whole;
      out += count;
      left -= count;
    } else {
      const run = header >> 1;
      if (at >= end) return <bool> fail(BAD_LEVELS, n - left, n);
      const v: u32 = load<u8>(at++);
      if (v > maxLevel) return <bool> fail(LEVEL_OVER_MAX, v, maxLevel);
      const count = min<u32>(run, left);
      memory.fill(out, <u8> v, count);
      if (v == maxLevel) most += count;
      else if (v == 0) zero += count;
      out += count;
      left -= count;
    }
  }
  countMax = most;
  countZero = zero;
  return true;
}

/** BIT_PACKED levels (deprecated encoding 4: from the highest bit down); gives the bytes they take, or -1. */
export function decodeBitPackedLevels(
  src: usize,
  end: usize,
  maxLevel: u32,
  n: u32,
  dst: usize,
): i32 {
  const width: u32 = 32 - clz<u32>(maxLevel);
  const bytes = (<u64> n * width + 7) >> 3;
  if (bytes > <u64> (end - src)) {
    fail(BAD_LEVELS, 0, n);
    return -1;
  }
  let most: u32 = 0;
  let zero: u32 = 0;
  let bit: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    let v: u32 = 0;
    for (let k: u32 = 0; k < width; k++) {
      v = (v << 1) | ((<u32> load<u8>(src + (bit >> 3)) >> (7 - (bit & 7))) & 1);
      bit++;
    }
    if (v > maxLevel) {
      fail(LEVEL_OVER_MAX, v, maxLevel);
      return -1;
    }
    store<u8>(dst + i, v);
    most += u32(v == maxLevel);
    zero += u32(v == 0);
  }
  countMax = most;
  countZero = zero;
  return <i32> bytes;
}

/** Decodes `n` indices, each below `bound`, into u32 at `dst` (slack behind). */
export function decodeIndices(
  src: usize,
  end: usize,
  width: u32,
  n: u32,
  bound: u32,
  dst: usize,
): bool {
  let left = n;
  let out = dst;
  at = src;
  if (width == 0) {
    if (n > 0 && bound == 0) return <bool> fail(INDEX_PAST_DICTIONARY, 0, 0);
    // runs have a length and no values; DuckDB and arrow-rs want them to reach the last value
    while (left > 0) {
      if (!readHeader(end)) return <bool> fail(VALUES_SHORT, n - left, n);
      const count: u64 = header & 1 ? <u64> (header >> 1) << 3 : <u64> (header >> 1);
      left = count >= <u64> left ? 0 : left - <u32> count;
    }
    memory.fill(dst, 0, <usize> n << 2);
    return true;
  }
  const mask: u64 = ((<u64> 1) << width) - 1;
  const valueBytes = (width + 7) >> 3;
  let high: u32 = 0;
  while (left > 0) {
    if (!readHeader(end)) return <bool> fail(VALUES_SHORT, n - left, n);
    if (header & 1) {
      const groups = header >> 1;
      const count: u32 = groups >= (left >> 3) + 1 ? left : min<u32>(left, groups << 3);
      const bytes = (<u64> count * width + 7) >> 3;
      if (bytes > <u64> (end - at)) return <bool> fail(VALUES_SHORT, n - left, n);
      high = max<u32>(high, unpack(at, width, mask, count, out));
      const whole = <u64> groups * width;
      at = whole > <u64> (end - at) ? end : at + <usize> whole;
      out += <usize> count << 2;
      left -= count;
    } else {
      const run = header >> 1;
      if (valueBytes > <u32> (end - at)) return <bool> fail(VALUES_SHORT, n - left, n);
      const v = <u32> (<u64> load<u32>(at) & (((<u64> 1) << (valueBytes << 3)) - 1));
      at += valueBytes;
      if (<u64> v > mask) return <bool> fail(INDEX_PAST_DICTIONARY, v, bound);
      if (run == 0) continue;
      high = max<u32>(high, v);
      const count = min<u32>(run, left);
      for (let i: u32 = 0; i < count; i++) store<u32>(out + (<usize> i << 2), v);
      out += <usize> count << 2;
      left -= count;
    }
  }
  if (n > 0 && high >= bound) return <bool> fail(INDEX_PAST_DICTIONARY, high, bound);
  return true;
}

/** Unpacks `count` values of `width` bits and gives the largest. May write 7 values past `count`. */
function unpack(src: usize, width: u32, mask: u64, count: u32, dst: usize): u32 {
  let high: u32 = 0;
  let i: u32 = 0;
  if (width <= 8) {
    // eight values lie in at most eight bytes
    const full = count & ~7;
    const m = <u32> mask;
    let p = src;
    for (; i < full; i += 8) {
      const w = load<u64>(p);
      p += width;
      const o = dst + (<usize> i << 2);
      let rest = w;
      const a = <u32> rest & m;
      rest >>= width;
      const b = <u32> rest & m;
      rest >>= width;
      const c = <u32> rest & m;
      rest >>= width;
      const d = <u32> rest & m;
      rest >>= width;
      store<u32>(o, a);
      store<u32>(o, b, 4);
      store<u32>(o, c, 8);
      store<u32>(o, d, 12);
      high = max(max(high, max(a, b)), max(c, d));
      const e = <u32> rest & m;
      rest >>= width;
      const f = <u32> rest & m;
      rest >>= width;
      const g = <u32> rest & m;
      rest >>= width;
      const h = <u32> rest & m;
      store<u32>(o, e, 16);
      store<u32>(o, f, 20);
      store<u32>(o, g, 24);
      store<u32>(o, h, 28);
      high = max(max(high, max(e, f)), max(g, h));
    }
  }
  let bit: u64 = <u64> i * width;
  for (; i < count; i++) {
    const v = <u32> ((load<u64>(src + <usize> (bit >> 3)) >> (bit & 7)) & mask);
    bit += width;
    store<u32>(dst + (<usize> i << 2), v);
    high = max<u32>(high, v);
  }
  return high;
}

@inline
function putVarint(op: usize, value: u32): usize {
  while (value >= 128) {
    store<u8>(op++, value | 128);
    value >>= 7;
  }
  store<u8>(op++, value);
  return op;
}

/** The most bytes that `n` values may take: every run holds eight values at least. */
export function hybridBound(n: u32, width: u32): u32 {
  return ((n + 7) >> 3) * (width + 6) + 16;
}

/**
 * The most values of a bit-packed run. DuckDB reads 32 values of a run at a time; once one of its vectors has ended
 * inside of a byte, it reads the rest of that run one by one, so runs must not be long.
 */
const PACKED_RUN: u32 = 256;

/** Whether the 32 levels at `p` are all `splat`'s. */
@inline
function equalLevels(p: usize, splat: u64): bool {
  return load<u64>(p) == splat && load<u64>(p, 8) == splat && load<u64>(p, 16) == splat &&
    load<u64>(p, 24) == splat;
}

@inline
function splatOf(p: usize): u64 {
  return <u64> load<u8>(p) * 0x0101010101010101;
}

/**
 * Encodes `n` levels (bytes, zeroes behind) of `width` bits; gives where the output ends. Levels go by 32: where
 * those are equal they make a run, shorter ones would take more bytes than they save.
 */
export function encodeLevels(src: usize, n: u32, width: u32, dst: usize): usize {
  let op = dst;
  let i: u32 = 0;
  while (i < n) {
    const splat = splatOf(src + i);
    let run: u32 = i;
    while (run + 32 <= n && equalLevels(src + run, splat)) run += 32;
    if (run > i) {
      // only the last run may end inside of 32
      if (run + 32 > n) {
        let end = run;
        while (end < n && load<u8>(src + end) == <u8> splat) end++;
        if (end == n) run = n;
      }
      op = putVarint(op, (run - i) << 1);
      store<u8>(op++, <u8> splat);
      i = run;
      continue;
    }
    let stop = i + 32;
    const most = i + PACKED_RUN;
    while (stop < n && stop < most) {
      if (stop + 32 <= n && equalLevels(src + stop, splatOf(src + stop))) break;
      stop += 32;
    }
    const groups = (min<u32>(stop, n) - i + 7) >> 3;
    op = putVarint(op, (groups << 1) | 1);
    for (let g: u32 = 0; g < groups; g++) {
      let w = load<u64>(src + i);
      const here = n - i;
      if (here < 8) w &= (<u64> 1 << (here << 3)) - 1;
      if (width == 1) {
        store<u8>(op++, <u8> ((w * 0x0102040810204080) >> 56));
      } else {
        let packed: u64 = 0;
        for (let k: u32 = 0; k < 8; k++) packed |= ((w >> (k << 3)) & 255) << (k * width);
        store<u64>(op, packed);
        op += width;
      }
      i += 8;
    }
  }
  return op;
}

/** A run of `n` levels behind what was encoded, none for 0; gives where the output ends. */
export function encodeRun(level: u32, n: u32, op: usize): usize {
  if (n == 0) return op;
  op = putVarint(op, n << 1);
  store<u8>(op, level);
  return op + 1;
}

@inline
function equalEight(p: usize): bool {
  const first = load<u64>(p);
  return first == load<u64>(p, 8) && first == load<u64>(p, 16) && first == load<u64>(p, 24) &&
    <u32> first == <u32> (first >> 32);
}

/** Whether the first `least` (8, 16, ..) of the `left` indices at `p` are equal. */
@inline
function startsRun(p: usize, left: u32, least: u32): bool {
  if (left < least || !equalEight(p)) return false;
  for (let k: u32 = 8; k < least; k += 8) {
    const next = p + (<usize> k << 2);
    if (load<u32>(next) != load<u32>(p) || !equalEight(next)) return false;
  }
  return true;
}

/** Encodes `n` indices (u32) of `width` bits; gives where the output ends. */
export function encodeIndices(src: usize, n: u32, width: u32, dst: usize): usize {
  let op = dst;
  let i: u32 = 0;
  if (width == 0) return putVarint(op, n << 1);
  // a shorter run would take more bytes than it saves
  const least: u32 = width < 4 ? 32 : 8;
  while (i < n) {
    if (startsRun(src + (<usize> i << 2), n - i, least)) {
      const first = load<u32>(src + (<usize> i << 2));
      let run = i + least;
      while (run < n && load<u32>(src + (<usize> run << 2)) == first) run++;
      // a run that isn't the last must end on a group of eight, as bit-packed runs hold whole groups
      if (run < n) run = i + ((run - i) & ~7);
      op = putVarint(op, (run - i) << 1);
      store<u32>(op, first);
      op += (width + 7) >> 3;
      i = run;
      continue;
    }
    let stop = i + 8;
    const most = i + PACKED_RUN;
    while (stop < n && stop < most && !startsRun(src + (<usize> stop << 2), n - stop, least)) {
      stop += 8;
    }
    const groups = (stop - i) >> 3;
    op = putVarint(op, (groups << 1) | 1);
    const last = min<u32>(stop, n);
    let word: u64 = 0;
    let bits: u32 = 0;
    for (; i < last; i++) {
      word |= <u64> load<u32>(src + (<usize> i << 2)) << bits;
      bits += width;
      if (bits >= 32) {
        store<u32>(op, <u32> word);
        op += 4;
        word >>= 32;
        bits -= 32;
      }
    }
    // the last group is filled with zeroes
    bits += (stop - last) * width;
    store<u64>(op, word);
    store<u64>(op + 8, 0);
    store<u64>(op + 16, 0);
    store<u64>(op + 24, 0);
    op += bits >> 3;
    i = stop;
  }
  return op;
}
