/**
 * Encodes levels and dictionary indices in the RLE / bit-packed hybrid (parquet-format Encodings.md, "RLE = 3"), in runs
 * that DuckDB reads fast.
 */

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
