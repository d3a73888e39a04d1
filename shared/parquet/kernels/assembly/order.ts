/** The orders that logical types give their values (parquet.thrift, ColumnOrder), and how values compare. */

export const NO_ORDER: u32 = 0;
export const SIGNED32: u32 = 1;
export const UNSIGNED32: u32 = 2;
export const SIGNED64: u32 = 3;
export const UNSIGNED64: u32 = 4;
export const FLOAT32: u32 = 5;
export const FLOAT64: u32 = 6;
export const BOOL: u32 = 7;
export const BYTES: u32 = 8;
/** Two's complement, big-endian: decimals. */
export const SIGNED_BYTES: u32 = 9;
export const FLOAT16: u32 = 10;

/** memcmp with lengths: below, equal or above 0. */
export function compareBytes(a: usize, an: u32, b: usize, bn: u32): i32 {
  const n = min<u32>(an, bn);
  let i: u32 = 0;
  while (i + 8 <= n) {
    const differs = load<u64>(a + i) ^ load<u64>(b + i);
    if (differs != 0) {
      const k = <u32> (ctz(differs) >> 3);
      return <i32> load<u8>(a + i + k) - <i32> load<u8>(b + i + k);
    }
    i += 8;
  }
  while (i < n) {
    const d = <i32> load<u8>(a + i) - <i32> load<u8>(b + i);
    if (d != 0) return d;
    i++;
  }
  return <i32> an - <i32> bn;
}

/** Two's complement big-endian numbers of any widths. */
export function compareSigned(a: usize, an: u32, b: usize, bn: u32): i32 {
  if (an == bn) {
    if (an == 0) return 0;
    const first = <i32> load<i8>(a) - <i32> load<i8>(b);
    return first != 0 ? first : compareBytes(a + 1, an - 1, b + 1, bn - 1);
  }
  const an0: i32 = an > 0 && load<i8>(a) < 0 ? -1 : 0;
  const bn0: i32 = bn > 0 && load<i8>(b) < 0 ? -1 : 0;
  if (an0 != bn0) return an0 - bn0;
  const n = max<u32>(an, bn);
  for (let i: u32 = 0; i < n; i++) {
    const x: i32 = i + an < n ? an0 & 255 : <i32> load<u8>(a + (i + an - n));
    const y: i32 = i + bn < n ? bn0 & 255 : <i32> load<u8>(b + (i + bn - n));
    if (x != y) return x - y;
  }
  return 0;
}

@inline
export function halfToFloat(h: u32): f32 {
  const sign = (h & 0x8000) << 16;
  const exponent = (h >> 10) & 31;
  const fraction = h & 1023;
  if (exponent == 31) return reinterpret<f32>(sign | 0x7f800000 | (fraction << 13));
  if (exponent != 0) return reinterpret<f32>(sign | ((exponent + 112) << 23) | (fraction << 13));
  const small = <f32> fraction * <f32> 5.960464477539063e-8;
  return sign != 0 ? -small : small;
}

export function compareVariable(order: u32, a: usize, an: u32, b: usize, bn: u32): i32 {
  return order == BYTES ? compareBytes(a, an, b, bn) : compareSigned(a, an, b, bn);
}

/** The first bytes as a big-endian number, so that most comparisons need no loop. */
@inline
export function prefixOf(p: usize, n: u32): u32 {
  if (n == 0) return 0;
  let w = load<u32>(p);
  if (n < 4) w &= (1 << (n << 3)) - 1;
  w = ((w & 0x00ff00ff) << 8) | ((w >> 8) & 0x00ff00ff);
  return (w << 16) | (w >> 16);
}
