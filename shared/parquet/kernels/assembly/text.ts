/**
 * Whether texts are UTF-8. Readers refuse a whole file for one text that isn't, so a broken fragment must not
 * get into a file with others.
 */
import { fail, NO_TEXT } from "./errors";

const HIGH_BITS: u64 = 0x8080808080808080;

/** Whether none of `n` bytes has its high bit. */
function isAscii(p: usize, n: u32): bool {
  let i: u32 = 0;
  while (i + 8 <= n) {
    if ((load<u64>(p + i) & HIGH_BITS) != 0) return false;
    i += 8;
  }
  while (i < n) if (load<u8>(p + i++) > 127) return false;
  return true;
}

@inline
function isTail(p: usize): bool {
  return (load<u8>(p) & 0xc0) == 0x80;
}

/** Whether the bytes are UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing past U+10FFFF. */
function isUtf8(p: usize, n: u32): bool {
  const end = p + n;
  while (p < end) {
    const lead: u32 = load<u8>(p);
    if (lead < 0x80) {
      p++;
      continue;
    }
    const left = <u32> (end - p);
    if (lead < 0xc2) return false;
    if (lead < 0xe0) {
      if (left < 2 || !isTail(p + 1)) return false;
      p += 2;
    } else if (lead < 0xf0) {
      if (left < 3 || !isTail(p + 1) || !isTail(p + 2)) return false;
      const second: u32 = load<u8>(p + 1);
      if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f)) return false;
      p += 3;
    } else {
      if (lead > 0xf4 || left < 4) return false;
      if (!isTail(p + 1) || !isTail(p + 2) || !isTail(p + 3)) return false;
      const second: u32 = load<u8>(p + 1);
      if ((lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) return false;
      p += 4;
    }
  }
  return true;
}

/**
 * The index of the first of `n` PLAIN byte arrays in `bytes` bytes at `p` that is no UTF-8, -1 when all are. Their
 * bounds were checked.
 */
export function firstNoText(p: usize, bytes: u32, n: u32): i32 {
  // most texts, with their lengths below 128, have no high bit at all
  if (isAscii(p, bytes)) return -1;
  for (let i: u32 = 0; i < n; i++) {
    const length = load<u32>(p);
    p += 4;
    if (!isAscii(p, length) && !isUtf8(p, length)) return i;
    p += length;
  }
  return -1;
}

/** Fails when one of `n` PLAIN byte arrays is no text. */
export function checkText(p: usize, bytes: u32, n: u32): bool {
  const found = firstNoText(p, bytes, n);
  return found < 0 ? true : <bool> fail(NO_TEXT, found);
}
