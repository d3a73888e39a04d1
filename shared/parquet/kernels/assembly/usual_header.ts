/**
 * Reads page headers as most writers write them: those of V1 data pages and of dictionaries, their fields in order and none
 * but these. A fragment of 50 rows has 50 headers, and by the general reader (page_header.ts) they take a tenth of its merge.
 */

/** Bytes that may be looked at: those of the fields, their numbers at the longest that is taken. */
export const USUAL_BYTES: u32 = 64;

/** What {@link readUsualHeader} read. */
export let usualIsDictionary: bool = false;
export let usualUncompressed: u32 = 0;
export let usualCompressed: u32 = 0;
export let usualValues: u32 = 0;
export let usualEncoding: u32 = 0;
export let usualDefEncoding: u32 = 0;
export let usualRepEncoding: u32 = 0;

const I32_FIELD: u32 = 0x15;
/** Heads of the inner headers, behind field 3, and of the statistics in one. */
const DATA_FIELD: u32 = 0x2c;
const DICTIONARY_FIELD: u32 = 0x4c;
export const STATISTICS_FIELD: u32 = 0x1c;

/** A number that can't be taken; and no number is it, as lengths are below 5. */
const NONE: u64 = 0;

/**
 * The i32 field at `p`, in the upper half, and the bytes that it takes with its head; {@link NONE} where it is no i32, below
 * zero, or longer than four bytes.
 */
@inline
function field(p: usize): u64 {
  if (load<u8>(p) != I32_FIELD) return NONE;
  const word = load<u32>(p, 1);
  const ends = ~word & 0x80808080;
  if (ends == 0) return NONE;
  const bits: u32 = ctz<u32>(ends) + 1;
  const w = bits == 32 ? word : word & ((<u32> 1 << bits) - 1);
  const n = (w & 0x7f) | ((w >> 1) & 0x3f80) | ((w >> 2) & 0x1fc000) | ((w >> 3) & 0xfe00000);
  // zigzag: odd numbers are below zero
  if (n & 1) return NONE;
  return (<u64> (n >> 1) << 32) | ((bits >> 3) + 1);
}

/**
 * Reads the header at `p`, where {@link USUAL_BYTES} may be read; gives the length of what was read, up to where statistics
 * or the end of the inner header stand, or 0 where it is otherwise.
 */
export function readUsualHeader(p: usize): u32 {
  let at = p;
  let f = field(at);
  const type = <u32> (f >> 32);
  if (f == NONE || (type != 0 && type != 2)) return 0;
  at += <usize> (f & 7);
  f = field(at);
  if (f == NONE) return 0;
  usualUncompressed = <u32> (f >> 32);
  at += <usize> (f & 7);
  f = field(at);
  if (f == NONE) return 0;
  usualCompressed = <u32> (f >> 32);
  at += <usize> (f & 7);
  const inner: u32 = load<u8>(at++);
  if (inner != (type == 0 ? DATA_FIELD : DICTIONARY_FIELD)) return 0;
  f = field(at);
  if (f == NONE) return 0;
  usualValues = <u32> (f >> 32);
  at += <usize> (f & 7);
  f = field(at);
  if (f == NONE) return 0;
  usualEncoding = <u32> (f >> 32);
  at += <usize> (f & 7);
  usualIsDictionary = type == 2;
  if (type == 2) return <u32> (at - p);
  f = field(at);
  if (f == NONE) return 0;
  usualDefEncoding = <u32> (f >> 32);
  at += <usize> (f & 7);
  f = field(at);
  if (f == NONE) return 0;
  usualRepEncoding = <u32> (f >> 32);
  return <u32> (at + <usize> (f & 7) - p);
}
