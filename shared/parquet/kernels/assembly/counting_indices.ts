/**
 * Tells dictionary indices that only count, 0, 1, 2, …, without unpacking them: those of values of which none repeats.
 * arrow-rs and Arrow C++ begin every column with a dictionary, so that most columns of a fragment of few rows have such.
 */
import { reserve } from "./memory";

/** Of wider indices a pattern would take more memory than unpacking takes time. */
const MOST_BITS: u32 = 15;

/** For each width the numbers from 0 on, bit-packed, and how many of them. */
const PATTERNS = memory.data(4 * 16);
const COUNTS = memory.data(4 * 16);

/** The first `n` numbers packed in `width` bits; 0 when there is no memory for them. */
function patternOf(width: u32, n: u32): usize {
  const slot: usize = width << 2;
  const had: usize = load<u32>(PATTERNS + slot);
  if (load<u32>(COUNTS + slot) >= n) return had;
  const count = min<u32>(<u32> 1 << width, ((n + (n >> 1)) | 511) + 1);
  const pattern = reserve(had, 0, ((count * width) >> 3) + 8);
  if (pattern == 0) return 0;
  let op = pattern;
  let word: u64 = 0;
  let bits: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    word |= <u64> i << bits;
    bits += width;
    if (bits >= 32) {
      store<u32>(op, <u32> word);
      op += 4;
      word >>= 32;
      bits -= 32;
    }
  }
  store<u64>(op, word);
  store<u32>(PATTERNS + slot, <u32> pattern);
  store<u32>(COUNTS + slot, count);
  return pattern;
}

@inline
function equalBits(a: usize, b: usize, bits: u32): bool {
  let i: u32 = 0;
  for (; i + 64 <= bits; i += 64) {
    if (load<u64>(a + (i >> 3)) != load<u64>(b + (i >> 3))) return false;
  }
  const rest = bits - i;
  return rest == 0 || ((load<u64>(a + (i >> 3)) ^ load<u64>(b + (i >> 3))) << (64 - rest)) == 0;
}

/**
 * Whether the bit-packed runs in [src, end) hold the numbers 0 .. n - 1. Indices that do so in runs of equal ones, or
 * that are cut short, are not told.
 */
export function isCounting(src: usize, end: usize, width: u32, n: u32): bool {
  if (width == 0 || width > MOST_BITS || n < 2 || (n - 1) >> width != 0) return false;
  let at = src;
  let done: u32 = 0;
  let pattern: usize = 0;
  while (done < n) {
    let header: u32 = 0;
    let shift: u32 = 0;
    while (true) {
      if (at >= end || shift > 21) return false;
      const b: u32 = load<u8>(at++);
      header |= (b & 127) << shift;
      if (b < 128) break;
      shift += 7;
    }
    if ((header & 1) == 0) return false;
    const groups = header >> 1;
    const count = min<u32>(n - done, groups << 3);
    if ((<u64> count * width + 7) >> 3 > <u64> (end - at)) return false;
    if (done == 0) {
      // most that don't count are told by the first two
      if ((load<u32>(at) & ((<u32> 1 << (width << 1)) - 1)) != <u32> 1 << width) return false;
      pattern = patternOf(width, n);
      if (pattern == 0) return false;
    }
    if (!equalBits(at, pattern + ((done * width) >> 3), count * width)) return false;
    done += count;
    // only the last run may be cut short
    at += groups * width;
  }
  return true;
}
