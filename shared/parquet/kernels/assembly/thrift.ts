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
  skipValue(type, 0, false);
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
