/** What went wrong: a code and two figures, read by TypeScript after a call that failed. */

export const BAD_HEADER: i32 = 1;
export const PAGE_PAST_CHUNK: i32 = 2;
export const PAGE_TOO_LARGE: i32 = 3;
export const BAD_CRC: i32 = 4;
export const BAD_COMPRESSION: i32 = 5;
export const BAD_LEVELS: i32 = 6;
export const LEVEL_OVER_MAX: i32 = 7;
export const VALUES_SHORT: i32 = 8;
export const INDEX_PAST_DICTIONARY: i32 = 9;
export const NO_DICTIONARY: i32 = 10;
export const UNKNOWN_ENCODING: i32 = 11;
export const VALUES_DIFFER: i32 = 12;
export const ROWS_DIFFER: i32 = 13;
export const FIRST_REPETITION: i32 = 14;
export const OUT_OF_MEMORY: i32 = 15;
export const UNKNOWN_CODEC: i32 = 16;
export const SECOND_DICTIONARY: i32 = 17;
export const V2_DIFFERS: i32 = 18;
export const TOO_MANY_VALUES: i32 = 19;
export const WIDENING_OVERFLOWS: i32 = 20;
export const BAD_DELTA: i32 = 21;
export const SIBLING_DIFFERS: i32 = 23;
export const NO_TEXT: i32 = 24;
export const LIST_WITHOUT_ENTRY: i32 = 25;
export const NOT_COPIED: i32 = 26;

export let errorCode: i32 = 0;
export let errorA: i64 = 0;
export let errorB: i64 = 0;

/** Sets the error; gives 0, so that `return fail(…)` works for pointers and for success flags. */
export function fail(code: i32, a: i64 = 0, b: i64 = 0): u32 {
  errorCode = code;
  errorA = a;
  errorB = b;
  return 0;
}

export function failMemory(size: u32): usize {
  return fail(OUT_OF_MEMORY, size);
}

export function getErrorCode(): i32 {
  return errorCode;
}
export function getErrorA(): f64 {
  return <f64> errorA;
}
export function getErrorB(): f64 {
  return <f64> errorB;
}
