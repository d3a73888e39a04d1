/**
 * Lossless widening of PLAIN values (docs/merge.md, rule 6), applied to a dictionary's entries or a page's values.
 * `parameter` is the factor of the scaling ones and the width (low 16 bits: from, high 16 bits: to) of the
 * decimal ones; to-width 0 stands for byte arrays.
 */
import { alloc } from "./memory";
import { BAD_DELTA, fail, VALUES_SHORT, WIDENING_OVERFLOWS } from "./errors";

export const KEEP: u32 = 0;
export const INT32_TO_INT64: u32 = 1;
export const UINT32_TO_INT64: u32 = 2;
export const FLOAT_TO_DOUBLE: u32 = 3;
/** int64 × parameter, overflow-checked. */
export const SCALE_INT64: u32 = 4;
/** int32 × parameter into int64. */
export const SCALE_INT32_TO_INT64: u32 = 5;
export const INT32_TO_DOUBLE: u32 = 6;
/** Two's complement big-endian of one width into another, sign-extended. */
export const FIXED_TO_FIXED: u32 = 7;
export const INT32_TO_FIXED: u32 = 8;
export const INT64_TO_FIXED: u32 = 9;
export const BYTES_TO_FIXED: u32 = 10;
/** Fixed values as byte arrays, unchanged. */
export const FIXED_TO_BYTES: u32 = 11;
/** int32 × parameter, overflow-checked. */
export const SCALE_INT32: u32 = 12;
/** From a column of nulls: there is no value to convert. */
export const NOTHING: u32 = 13;
/** Decimals × 10^k into big-endian bytes, overflow-checked; parameter = from | to << 8 | k << 16. */
export const SCALE_INT32_TO_FIXED: u32 = 14;
export const SCALE_INT64_TO_FIXED: u32 = 15;
export const SCALE_FIXED: u32 = 16;
export const SCALE_BYTES_TO_FIXED: u32 = 17;
/** For numbers that a float, or double, holds exactly. */
export const INT32_TO_FLOAT: u32 = 18;
export const UINT32_TO_DOUBLE: u32 = 19;
/** 16 bytes as the 36 characters of RFC 9562. */
export const UUID_TO_TEXT: u32 = 20;

export let convertedPtr: usize = 0;
export let convertedBytes: u32 = 0;

function store_be(dst: usize, width: u32, value: i64): void {
  for (let k: u32 = 0; k < width; k++) {
    const shift = (width - 1 - k) << 3;
    store<u8>(dst + k, shift > 63 ? value >> 63 : value >> shift);
  }
}

/** Sign-extends `n` big-endian bytes to `width`; false when they don't fit. */
function extend(src: usize, n: u32, dst: usize, width: u32): bool {
  const negative = n > 0 && (load<u8>(src) & 128) != 0;
  const fill: u8 = negative ? 255 : 0;
  if (n <= width) {
    memory.fill(dst, fill, width - n);
    memory.copy(dst + width - n, src, n);
    return true;
  }
  const drop = n - width;
  for (let k: u32 = 0; k < drop; k++) if (load<u8>(src + k) != fill) return false;
  memory.copy(dst, src + drop, width);
  return width == 0 || ((load<u8>(dst) & 128) != 0) == negative;
}

/** Turns the sign of a big-endian number. */
function negate(p: usize, width: u32): void {
  let carry: u32 = 1;
  for (let k = <i32> width - 1; k >= 0; k--) {
    carry += <u32> load<u8>(p + k) ^ 255;
    store<u8>(p + k, carry);
    carry >>= 8;
  }
}

/** Multiplies a big-endian two's complement number by 10^digits in place; false when it doesn't fit. */
function scale(p: usize, width: u32, digits: u32): bool {
  const negative = (load<u8>(p) & 128) != 0;
  if (negative) negate(p, width);
  let left = digits;
  while (left > 0) {
    let factor: u64 = 1;
    const step = min<u32>(left, 9);
    for (let k: u32 = 0; k < step; k++) factor *= 10;
    left -= step;
    let carry: u64 = 0;
    for (let k = <i32> width - 1; k >= 0; k--) {
      carry += <u64> load<u8>(p + k) * factor;
      store<u8>(p + k, <u8> carry);
      carry >>= 8;
    }
    if (carry != 0 || (load<u8>(p) & 128) != 0) return false;
  }
  if (negative) negate(p, width);
  return true;
}

/** Decimals of any storage into `to` bytes each, × 10^digits. */
function scaleDecimals(kind: u32, src: usize, n: u32, from: u32, to: u32, digits: u32, out: usize): bool {
  let p = src;
  for (let i: u32 = 0; i < n; i++) {
    const dst = out + <usize> i * to;
    let fits = true;
    if (kind == SCALE_INT32_TO_FIXED) {
      store_be(dst, to, load<i32>(p));
      p += 4;
    } else if (kind == SCALE_INT64_TO_FIXED) {
      store_be(dst, to, load<i64>(p));
      p += 8;
    } else if (kind == SCALE_FIXED) {
      fits = extend(p, from, dst, to);
      p += from;
    } else {
      const length = load<u32>(p);
      fits = extend(p + 4, length, dst, to);
      p += 4 + length;
    }
    if (!fits || !scale(dst, to, digits)) return <bool> fail(WIDENING_OVERFLOWS, i);
  }
  return true;
}

@inline
function hexDigit(value: u32): u32 {
  return value < 10 ? 48 + value : 87 + value;
}

/** A UUID's text as a PLAIN byte array. */
function writeUuid(src: usize, dst: usize): void {
  store<u32>(dst, 36);
  let o = dst + 4;
  for (let k: u32 = 0; k < 16; k++) {
    if (k == 4 || k == 6 || k == 8 || k == 10) store<u8>(o++, 45);
    const byte: u32 = load<u8>(src + k);
    store<u8>(o++, hexDigit(byte >> 4));
    store<u8>(o++, hexDigit(byte & 15));
  }
}

/** Converts `n` values at `src` (of `bytes` bytes, bounds checked before) into a new block. */
export function convertValues(
  kind: u32,
  parameter: i32,
  src: usize,
  bytes: u32,
  n: u32,
): bool {
  // callers free it when this fails
  convertedPtr = 0;
  if (kind == NOTHING) return <bool> fail(WIDENING_OVERFLOWS, n);
  const scaled = kind >= SCALE_INT32_TO_FIXED && kind <= SCALE_BYTES_TO_FIXED;
  const from = <u32> parameter & (scaled ? 0xff : 0xffff);
  const to = scaled ? (<u32> parameter >> 8) & 0xff : <u32> parameter >> 16;
  let size: u64;
  if (scaled) size = <u64> n * to;
  else if (kind == FIXED_TO_FIXED || (kind >= INT32_TO_FIXED && kind <= BYTES_TO_FIXED)) {
    size = <u64> n * to;
  } else if (kind == FIXED_TO_BYTES) size = <u64> n * (from + 4);
  else if (kind == UUID_TO_TEXT) size = <u64> n * 40;
  else if (kind == SCALE_INT32 || kind == INT32_TO_FLOAT) size = <u64> n << 2;
  else size = <u64> n << 3;
  if (size > 0x3fff0000) return <bool> fail(WIDENING_OVERFLOWS, size);
  const out = alloc(<u32> size);
  if (out == 0) return false;
  convertedPtr = out;
  convertedBytes = <u32> size;
  if (scaled) return scaleDecimals(kind, src, n, from, to, <u32> parameter >> 16, out);
  if (kind == INT32_TO_INT64) {
    for (let i: u32 = 0; i < n; i++) {
      store<i64>(out + (<usize> i << 3), <i64> load<i32>(src + (<usize> i << 2)));
    }
  } else if (kind == UINT32_TO_INT64) {
    for (let i: u32 = 0; i < n; i++) {
      store<u64>(out + (<usize> i << 3), <u64> load<u32>(src + (<usize> i << 2)));
    }
  } else if (kind == FLOAT_TO_DOUBLE) {
    for (let i: u32 = 0; i < n; i++) {
      store<f64>(out + (<usize> i << 3), <f64> load<f32>(src + (<usize> i << 2)));
    }
  } else if (kind == INT32_TO_DOUBLE) {
    for (let i: u32 = 0; i < n; i++) {
      store<f64>(out + (<usize> i << 3), <f64> load<i32>(src + (<usize> i << 2)));
    }
  } else if (kind == UINT32_TO_DOUBLE) {
    for (let i: u32 = 0; i < n; i++) {
      store<f64>(out + (<usize> i << 3), <f64> load<u32>(src + (<usize> i << 2)));
    }
  } else if (kind == INT32_TO_FLOAT) {
    for (let i: u32 = 0; i < n; i++) {
      store<f32>(out + (<usize> i << 2), <f32> load<i32>(src + (<usize> i << 2)));
    }
  } else if (kind == SCALE_INT32_TO_INT64) {
    for (let i: u32 = 0; i < n; i++) {
      store<i64>(out + (<usize> i << 3), <i64> load<i32>(src + (<usize> i << 2)) * parameter);
    }
  } else if (kind == SCALE_INT64) {
    const most = i64.MAX_VALUE / parameter;
    const least = i64.MIN_VALUE / parameter;
    for (let i: u32 = 0; i < n; i++) {
      const v = load<i64>(src + (<usize> i << 3));
      if (v > most || v < least) return <bool> fail(WIDENING_OVERFLOWS, v, parameter);
      store<i64>(out + (<usize> i << 3), v * parameter);
    }
  } else if (kind == SCALE_INT32) {
    for (let i: u32 = 0; i < n; i++) {
      const v = <i64> load<i32>(src + (<usize> i << 2)) * parameter;
      if (v != <i64> <i32> v) return <bool> fail(WIDENING_OVERFLOWS, v, parameter);
      store<i32>(out + (<usize> i << 2), <i32> v);
    }
  } else if (kind == FIXED_TO_FIXED) {
    for (let i: u32 = 0; i < n; i++) {
      if (!extend(src + i * from, from, out + i * to, to)) {
        return <bool> fail(WIDENING_OVERFLOWS, i);
      }
    }
  } else if (kind == INT32_TO_FIXED) {
    for (let i: u32 = 0; i < n; i++) store_be(out + i * to, to, load<i32>(src + (<usize> i << 2)));
  } else if (kind == INT64_TO_FIXED) {
    for (let i: u32 = 0; i < n; i++) store_be(out + i * to, to, load<i64>(src + (<usize> i << 3)));
  } else if (kind == BYTES_TO_FIXED) {
    let p = src;
    for (let i: u32 = 0; i < n; i++) {
      const length = load<u32>(p);
      if (!extend(p + 4, length, out + i * to, to)) return <bool> fail(WIDENING_OVERFLOWS, i);
      p += 4 + length;
    }
    if (p > src + bytes) return <bool> fail(VALUES_SHORT);
  } else if (kind == FIXED_TO_BYTES) {
    let o = out;
    for (let i: u32 = 0; i < n; i++) {
      store<u32>(o, from);
      memory.copy(o + 4, src + i * from, from);
      o += 4 + from;
    }
  } else if (kind == UUID_TO_TEXT) {
    for (let i: u32 = 0; i < n; i++) writeUuid(src + (<usize> i << 4), out + i * 40);
  } else return <bool> fail(BAD_DELTA, kind);
  return true;
}
