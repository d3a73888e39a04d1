/**
 * Decodes the RLE / bit-packed hybrid (parquet-format Encodings.md, "RLE = 3"): levels into one byte each,
 * dictionary indices into four.
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
  } else if (width <= 15) {
    // four values lie in at most eight bytes, wherever they begin
    const full = count & ~7;
    const m = <u32> mask;
    const second = <usize> (width >> 1);
    const drop = <u64> ((width & 1) << 2);
    let p = src;
    for (; i < full; i += 8) {
      const o = dst + (<usize> i << 2);
      let rest = load<u64>(p);
      const a = <u32> rest & m;
      rest >>= width;
      const b = <u32> rest & m;
      rest >>= width;
      const c = <u32> rest & m;
      rest >>= width;
      const d = <u32> rest & m;
      store<u32>(o, a);
      store<u32>(o, b, 4);
      store<u32>(o, c, 8);
      store<u32>(o, d, 12);
      rest = load<u64>(p + second) >> drop;
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
      high = max(max(high, max(max(a, b), max(c, d))), max(max(e, f), max(g, h)));
      p += width;
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
