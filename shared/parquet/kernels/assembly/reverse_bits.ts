/** Bit streams that are read from their end (RFC 8878, 4.1). */

/** Bits of a stream, of which the highest set bit of the last byte marks the beginning; −1 where it isn't there. */
@inline
export function bitsOf(start: usize, end: usize): i32 {
  if (end <= start) return -1;
  const last = <u32> load<u8>(end - 1);
  return last == 0 ? -1 : <i32> ((<u32> (end - start) << 3) + 23 - clz<u32>(last));
}

/**
 * The next bits of a stream with `left` bits, the first of them highest: 57 at least. What lies before the stream takes the
 * place of bits that it doesn't have, so that who takes more than there are is to look whether `left` is negative then.
 */
@inline
export function nextBits(start: usize, left: i32): u64 {
  return load<u64>(start + ((left + 7) >> 3) - 8) << <u64> (-left & 7);
}

/** The first `count` of such bits as a number. */
@inline
export function take(bits: u64, count: u32): u32 {
  return <u32> ((bits >> 1) >> <u64> (63 - count));
}
