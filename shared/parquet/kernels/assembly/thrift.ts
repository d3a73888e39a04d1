/**
 * Reads Thrift's compact protocol from untrusted bytes, for the structs of a footer and of a page header. One value is
 * read at a time, in a module's globals: a reader as an object costs more than what it reads. What is wrong sets a flag
 * and reads as 0, so that only the end of a loop need ask.
 */

export const TRUE: u32 = 1;
export const FALSE: u32 = 2;
export const BYTE: u32 = 3;
export const I16: u32 = 4;
export const I32: u32 = 5;
export const I64: u32 = 6;
export const DOUBLE: u32 = 7;
export const BINARY: u32 = 8;
export const LIST: u32 = 9;
export const SET: u32 = 10;
export const STRUCT: u32 = 12;

/** Lists and structs inside of what is passed over: more than any struct of parquet.thrift has. */
const MOST_NESTING: i32 = 16;

let at: usize = 0;
let end: usize = 0;
let bad = false;

/** Begins at `start`; nothing from `stop` on is read. */
@inline
export function readFrom(start: usize, stop: usize): void {
  at = start;
  end = stop;
  bad = false;
}

/** Where the next byte is. */
@inline
export function place(): usize {
  return at;
}

/** Goes on at `p`, where something was read in locals. */
@inline
export function goOn(p: usize): void {
  at = p;
}

/** Bytes that are left. */
@inline
export function left(): usize {
  return end - at;
}

/** Whether something was wrong since {@link readFrom}. */
@inline
export function isBad(): bool {
  return bad;
}

/** Ends the reading for a reason of the caller's. */
@inline
export function refuse(): void {
  bad = true;
}

@inline
export function byte(): u32 {
  if (at >= end) {
    bad = true;
    return 0;
  }
  return load<u8>(at++);
}

function varint(): u64 {
  let b = byte();
  if (b < 128) return b;
  let value: u64 = b & 127;
  let shift: u64 = 7;
  while (true) {
    b = byte();
    value |= <u64> (b & 127) << shift;
    if (b < 128) return value;
    shift += 7;
    if (shift > 63) {
      bad = true;
      return 0;
    }
  }
}

/** An i64. */
@inline
export function long(): i64 {
  const n = varint();
  return <i64> (n >> 1) ^ -(<i64> (n & 1));
}

/** An i32, or an i16; what doesn't fit is wrong. */
export function int(): i32 {
  const n = varint();
  if (n > 0xffffffff) bad = true;
  return <i32> (<u32> n >> 1) ^ -(<i32> n & 1);
}

/** The id of the field whose head was read, behind field `id`. */
@inline
export function fieldId(head: u32, id: u32): u32 {
  return head >> 4 == 0 ? <u32> int() : id + (head >> 4);
}

/** Passes `n` bytes. */
@inline
export function advance(n: u64): void {
  if (n > <u64> (end - at)) bad = true;
  else at += <usize> n;
}

/** Values in a list, whose head was read: each takes a byte at least. */
@inline
function countOf(head: u32): u64 {
  const count = head >> 4 == 15 ? varint() : <u64> (head >> 4);
  if (count > <u64> (end - at)) {
    bad = true;
    return 0;
  }
  return count;
}

/** Count of a list of `element`; wrong when it holds something else. */
export function listOf(element: u32): u32 {
  const head = byte();
  const count = countOf(head);
  if (count > 0 && (head & 15) != element) {
    bad = true;
    return 0;
  }
  return <u32> count;
}

/** Passes a field's value. */
export function skip(type: u32): void {
  // what most fields that are passed hold: statistics, encodings and how many pages have them
  const p = type == STRUCT ? behindStruct(at, end) : type == LIST ? behindList(at, end) : 0;
  if (p != 0) at = p;
  else skipValue(type, 0, false);
}

/** Highest bits of eight bytes: that of a number's last byte is not set. */
export const GOES_ON: u64 = 0x8080808080808080;

/** The number whose eight bytes at the most are in `word`; `ends` are the highest bits that are not set, some. */
@inline
export function shortLong(word: u64, ends: u64): i64 {
  let n = word & (ends ^ (ends - 1)) & ~GOES_ON;
  n = (n & 0x007f007f007f007f) | ((n & 0x7f007f007f007f00) >> 1);
  n = (n & 0x00003fff00003fff) | ((n & 0x3fff00003fff0000) >> 2);
  n = (n & 0x000000000fffffff) | ((n & 0x0fffffff00000000) >> 4);
  return <i64> (n >> 1) ^ -(<i64> (n & 1));
}

/**
 * The end of the struct at `p` when its fields are numbers, flags and short bytes, else 0: in locals, as the general way takes
 * thrice as long. Up to 8 bytes behind `stop` are looked at, which every block of memory has, and say nothing.
 */
@inline
function behindStruct(p: usize, stop: usize): usize {
  while (p < stop) {
    const head: u32 = load<u8>(p++);
    if (head == 0) return p;
    const type = head & 15;
    if (head >> 4 == 0 || p >= stop) return 0;
    if (type == BINARY) {
      const length: u32 = load<u8>(p++);
      if (length >= 128 || length > <u32> (stop - p)) return 0;
      p += length;
    } else if (type >= I16 && type <= I64) {
      const ends = ~load<u64>(p) & GOES_ON;
      if (ends == 0) return 0;
      p += (<usize> ctz<u64>(ends) >> 3) + 1;
    } else if (type != TRUE && type != FALSE) return 0;
  }
  return 0;
}

/** The same of a list of few numbers or of structs. */
function behindList(p: usize, stop: usize): usize {
  if (p >= stop) return 0;
  const head: u32 = load<u8>(p++);
  const count = head >> 4;
  const type = head & 15;
  if (count == 15) return 0;
  for (let i: u32 = 0; i < count; i++) {
    if (p >= stop) return 0;
    if (type == STRUCT) {
      p = behindStruct(p, stop);
      if (p == 0) return 0;
    } else if (type >= I16 && type <= I64) {
      const ends = ~load<u64>(p) & GOES_ON;
      if (ends == 0) return 0;
      p += (<usize> ctz<u64>(ends) >> 3) + 1;
    } else return 0;
  }
  return p <= stop ? p : 0;
}

function skipValue(type: u32, depth: i32, inList: bool): void {
  if (bad) return;
  if (depth > MOST_NESTING) {
    bad = true;
    return;
  }
  if (type == BINARY) advance(varint());
  else if (type >= I16 && type <= I64) varint();
  else if (type == TRUE || type == FALSE) {
    if (inList) byte(); // of a field, the type is the value
  } else if (type == BYTE) byte();
  else if (type == DOUBLE) advance(8);
  else if (type == LIST || type == SET) {
    const head = byte();
    const count = countOf(head);
    for (let i: u64 = 0; i < count && !bad; i++) skipValue(head & 15, depth + 1, true);
  } else if (type == STRUCT) {
    while (!bad) {
      const head = byte();
      if (head == 0) return;
      if (head >> 4 == 0) varint();
      skipValue(head & 15, depth + 1, false);
    }
  } else bad = true;
}
