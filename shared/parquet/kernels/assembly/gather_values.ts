/** Appends PLAIN values to a column from a dictionary's entries, by index. */
import { Column } from "./column";
import { fail, PAGE_TOO_LARGE } from "./errors";
import { copyFew, reserve } from "./memory";

/** Appends fixed-width values by index. */
export function gatherFixed(c: Column, entries: usize, indices: usize, n: u32): bool {
  const width = c.width;
  const bytes = <u64> n * width;
  if (bytes > 0x3fff0000) return <bool> fail(PAGE_TOO_LARGE, bytes);
  const grown11 = reserve(c.values, c.valueBytes, c.valueBytes + <u32> bytes);
  if (grown11 == 0) return false;
  c.values = grown11;
  let dst = c.values + c.valueBytes;
  if (width == 8) {
    for (let i: u32 = 0; i < n; i++) {
      store<u64>(dst, load<u64>(entries + (<usize> load<u32>(indices + (<usize> i << 2)) << 3)));
      dst += 8;
    }
  } else if (width == 4) {
    for (let i: u32 = 0; i < n; i++) {
      store<u32>(dst, load<u32>(entries + (<usize> load<u32>(indices + (<usize> i << 2)) << 2)));
      dst += 4;
    }
  } else {
    for (let i: u32 = 0; i < n; i++) {
      copyFew(dst, entries + load<u32>(indices + (<usize> i << 2)) * width, width);
      dst += width;
    }
  }
  c.valueBytes += <u32> bytes;
  return true;
}

/** Appends byte arrays by index; their sum is known before anything is reserved. */
export function gatherBytes(
  c: Column,
  entries: usize,
  starts: usize,
  indices: usize,
  n: u32,
): bool {
  let sum: u64 = 0;
  for (let i: u32 = 0; i < n; i++) {
    sum += 4 +
      load<u32>(entries + load<u32>(starts + (<usize> load<u32>(indices + (<usize> i << 2)) << 2)));
  }
  if (sum + c.valueBytes > 0x3fff0000) return <bool> fail(PAGE_TOO_LARGE, sum);
  const grown12 = reserve(c.values, c.valueBytes, c.valueBytes + <u32> sum);
  if (grown12 == 0) return false;
  c.values = grown12;
  let dst = c.values + c.valueBytes;
  for (let i: u32 = 0; i < n; i++) {
    const from = entries + load<u32>(starts + (<usize> load<u32>(indices + (<usize> i << 2)) << 2));
    const length = 4 + load<u32>(from);
    copyFew(dst, from, length);
    dst += length;
  }
  c.valueBytes += <u32> sum;
  return true;
}
