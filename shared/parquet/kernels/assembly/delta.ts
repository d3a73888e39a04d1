/**
 * The delta encodings and BYTE_STREAM_SPLIT (parquet-format Encodings.md), decoded to PLAIN.
 * Nothing is taken on trust: counts are compared with the page's, sums with the bytes that are there.
 */
import { BAD_DELTA, fail, NOT_COPIED, PAGE_TOO_LARGE } from "./errors";
import { alloc, free } from "./memory";
import { chunk } from "./open_chunk";

let at: usize = 0;
let number: u64 = 0;

function readVarint(end: usize): bool {
  let value: u64 = 0;
  let shift: u64 = 0;
  while (true) {
    if (at >= end || shift > 63) return false;
    const b = load<u8>(at++);
    value |= <u64> (b & 127) << shift;
    if (b < 128) break;
    shift += 7;
  }
  number = value;
  return true;
}

@inline
function unzigzag(n: u64): i64 {
  return <i64> (n >> 1) ^ -(<i64> (n & 1));
}

/** Where the integers that {@link decodeDelta} read last end. */
export let deltaEnd: usize = 0;

/** DELTA_BINARY_PACKED: exactly `n` integers of `width` bytes (4 or 8) to `dst`. */
export function decodeDelta(src: usize, end: usize, n: u32, width: u32, dst: usize): bool {
  at = src;
  if (!readVarint(end)) return <bool> fail(BAD_DELTA);
  const blockSize = number;
  if (!readVarint(end)) return <bool> fail(BAD_DELTA);
  const miniblocks = number;
  if (!readVarint(end)) return <bool> fail(BAD_DELTA);
  const total = number;
  if (!readVarint(end)) return <bool> fail(BAD_DELTA);
  let value = unzigzag(number);
  if (
    blockSize == 0 || blockSize > 1 << 24 || miniblocks == 0 || miniblocks > blockSize ||
    blockSize % miniblocks != 0 || ((blockSize / miniblocks) & 31) != 0
  ) return <bool> fail(BAD_DELTA, blockSize, miniblocks);
  if (total != <u64> n) return <bool> fail(BAD_DELTA, total, n);
  const perMini = <u32> (blockSize / miniblocks);
  if (n > 0) {
    if (width == 4) store<u32>(dst, <u32> value);
    else store<u64>(dst, value);
  }
  let done: u32 = 1;
  while (done < n) {
    if (!readVarint(end)) return <bool> fail(BAD_DELTA, done, n);
    const least = unzigzag(number);
    const widths = at;
    if (miniblocks > <u64> (end - at)) return <bool> fail(BAD_DELTA, done, n);
    at += <usize> miniblocks;
    for (let m: u32 = 0; m < <u32> miniblocks && done < n; m++) {
      const bits: u32 = load<u8>(widths + m);
      if (bits > 64) return <bool> fail(BAD_DELTA, bits);
      const count = min<u32>(perMini, n - done);
      const needed = (<u64> count * bits + 7) >> 3;
      if (needed > <u64> (end - at)) return <bool> fail(BAD_DELTA, done, n);
      const mask: u64 = bits == 64 ? u64.MAX_VALUE : ((<u64> 1) << bits) - 1;
      let bit: u64 = 0;
      for (let i: u32 = 0; i < count; i++) {
        let delta: u64 = 0;
        if (bits != 0) {
          const p = at + <usize> (bit >> 3);
          const shift = bit & 7;
          delta = load<u64>(p) >> shift;
          if (bits + <u32> shift > 64) delta |= <u64> load<u8>(p + 8) << (64 - shift);
          delta &= mask;
          bit += bits;
        }
        value += least + <i64> delta;
        if (width == 4) store<u32>(dst + (<usize> (done + i) << 2), <u32> value);
        else store<u64>(dst + (<usize> (done + i) << 3), value);
      }
      done += count;
      const whole = (<u64> perMini * bits) >> 3;
      if (whole > <u64> (end - at)) {
        // filled up with zeros by Encodings.md, which DuckDB insists on and arrow-rs doesn't
        if (chunk.copied) return <bool> fail(NOT_COPIED);
        at = end;
      } else at += <usize> whole;
    }
  }
  deltaEnd = at;
  return true;
}

/** The bytes that the PLAIN form took; set by the two decoders of byte arrays. */
export let plainLength: u32 = 0;
export let plainPtr: usize = 0;

/**
 * DELTA_LENGTH_BYTE_ARRAY: `n` byte arrays as PLAIN in a new block ({@link plainPtr}, to be freed by the
 * caller).
 */
export function decodeDeltaLength(src: usize, end: usize, n: u32, maxBytes: u32): bool {
  const lengths = alloc((n << 2) + 8);
  if (lengths == 0) return false;
  if (!decodeDelta(src, end, n, 4, lengths)) {
    free(lengths);
    return false;
  }
  let p = deltaEnd;
  let sum: u64 = 0;
  for (let i: u32 = 0; i < n; i++) sum += load<u32>(lengths + (<usize> i << 2));
  if (sum > <u64> (end - p) || sum + (<u64> n << 2) > maxBytes) {
    free(lengths);
    return <bool> fail(BAD_DELTA, sum, end - p);
  }
  const out = alloc(<u32> sum + (n << 2));
  if (out == 0) {
    free(lengths);
    return false;
  }
  let o = out;
  for (let i: u32 = 0; i < n; i++) {
    const length = load<u32>(lengths + (<usize> i << 2));
    store<u32>(o, length);
    memory.copy(o + 4, p, length);
    o += 4 + length;
    p += length;
  }
  free(lengths);
  plainPtr = out;
  plainLength = <u32> (o - out);
  return true;
}

/**
 * DELTA_BYTE_ARRAY: `n` byte arrays as PLAIN in a new block. With `fixed` > 0 all have that length and are
 * written without it.
 */
export function decodeDeltaStrings(
  src: usize,
  end: usize,
  n: u32,
  fixed: u32,
  maxBytes: u32,
): bool {
  const prefixes = alloc((n << 2) + 8);
  const suffixes = alloc((n << 2) + 8);
  let ok = prefixes != 0 && suffixes != 0 && decodeDelta(src, end, n, 4, prefixes) &&
    decodeDelta(deltaEnd, end, n, 4, suffixes);
  if (ok) {
    let sum: u64 = 0;
    let before: u64 = 0;
    let bytes: u64 = 0;
    for (let i: u32 = 0; i < n && ok; i++) {
      const prefix = load<u32>(prefixes + (<usize> i << 2));
      const suffix = load<u32>(suffixes + (<usize> i << 2));
      if (<u64> prefix > before) ok = <bool> fail(BAD_DELTA, prefix, before);
      before = <u64> prefix + suffix;
      if (fixed != 0 && before != fixed) ok = <bool> fail(BAD_DELTA, before, fixed);
      sum += before + (fixed != 0 ? 0 : 4);
      bytes += suffix;
    }
    if (ok && bytes > <u64> (end - deltaEnd)) ok = <bool> fail(BAD_DELTA, bytes);
    // prefixes can make few bytes many: the limit of a page holds for what comes out
    if (ok && sum > maxBytes) ok = <bool> fail(PAGE_TOO_LARGE, sum, maxBytes);
    if (ok) {
      const out = alloc(<u32> sum);
      ok = out != 0;
      if (ok) {
        let o = out;
        let previous = out;
        let p = deltaEnd;
        for (let i: u32 = 0; i < n; i++) {
          const prefix = load<u32>(prefixes + (<usize> i << 2));
          const suffix = load<u32>(suffixes + (<usize> i << 2));
          if (fixed == 0) {
            store<u32>(o, prefix + suffix);
            o += 4;
          }
          memory.copy(o, previous, prefix);
          memory.copy(o + prefix, p, suffix);
          previous = o;
          o += prefix + suffix;
          p += suffix;
        }
        plainPtr = out;
        plainLength = <u32> (o - out);
      }
    }
  }
  free(prefixes);
  free(suffixes);
  return ok;
}

/**
 * BYTE_STREAM_SPLIT: the first `n` values of `width` bytes out of streams of `length` bytes each; the caller has checked
 * that they are there. How long a stream is the page's bytes say, as in other readers, and not the levels: of a page whose
 * levels tell of fewer values than it has, the second stream does not begin where these would end.
 */
export function decodeSplit(src: usize, n: u32, length: u32, width: u32, dst: usize): void {
  for (let b: u32 = 0; b < width; b++) {
    const stream = src + <usize> b * length;
    let o = dst + b;
    for (let i: u32 = 0; i < n; i++) {
      store<u8>(o, load<u8>(stream + i));
      o += width;
    }
  }
}
