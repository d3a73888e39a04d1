/** The sequences of zstd's blocks (RFC 8878, 3.1.1.3.2). */
import { BAD_COMPRESSION, fail } from "./errors";
import { copyFew } from "./memory";
import { bitsOf, nextBits, take } from "./reverse_bits";
import { literalsAt, literalsEnd } from "./zstd_literals";
import { accuracy, buildGiven, buildSingle, readFse } from "./zstd_fse";

/** Bits that are added to the base of each code of literal lengths and match lengths (3.1.1.3.2.1.1). */
const LENGTH_EXTRA = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
]);
const MATCH_EXTRA = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3,
  4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
]);
/** The distributions that a block need not describe (3.1.1.3.2.2). */
const GIVEN_LENGTHS = memory.data<i8>([
  4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1,
]);
const GIVEN_OFFSETS = memory.data<i8>([
  1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1,
]);
const GIVEN_MATCHES = memory.data<i8>([
  1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
  1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
]);

/** Codes that there are. An offset beyond 2^27 would reach before any page. */
const LENGTHS: u32 = 36, OFFSETS: u32 = 32, MATCHES: u32 = 53;
const LONGEST_OFFSET: u32 = 27;

/** What each code stands for, as zstd_fse.ts takes it. */
const LENGTH_VALUES = memory.data(8 * 36);
const OFFSET_VALUES = memory.data(8 * 32);
const MATCH_VALUES = memory.data(8 * 53);
/** Tables: those given by the format, and those of a frame. */
const LENGTH_GIVEN = memory.data(8 * 64);
const OFFSET_GIVEN = memory.data(8 * 32);
const MATCH_GIVEN = memory.data(8 * 64);
const LENGTH_OWN = memory.data(8 * 512);
const OFFSET_OWN = memory.data(8 * 256);
const MATCH_OWN = memory.data(8 * 512);

let isPrepared: bool = false;
/** Of a frame: tables (0: none yet) and the bits of their number of states, and the three repeated offsets. */
let lengths: usize = 0, offsets: usize = 0, matches: usize = 0;
let lengthBits: u32 = 0, offsetBits: u32 = 0, matchBits: u32 = 0;
let recent0: u32 = 1, recent1: u32 = 4, recent2: u32 = 8;

/** Each code begins where the one before it ends. */
function fillValues(to: usize, extra: usize, count: u32, first: u32): void {
  for (let code: u32 = 0; code < count; code++) {
    const bits = <u32> load<u8>(extra + code);
    store<u64>(to + (<usize> code << 3), <u64> first | (<u64> bits << 56));
    first += 1 << bits;
  }
}

function prepare(): void {
  isPrepared = true;
  fillValues(LENGTH_VALUES, LENGTH_EXTRA, LENGTHS, 0);
  fillValues(MATCH_VALUES, MATCH_EXTRA, MATCHES, 3);
  for (let code: u64 = 0; code < OFFSETS; code++) {
    store<u64>(OFFSET_VALUES + (<usize> code << 3), (<u64> 1 << code) | (code << 56));
  }
  buildGiven(LENGTH_GIVEN, LENGTH_VALUES, GIVEN_LENGTHS, 36, 6);
  buildGiven(OFFSET_GIVEN, OFFSET_VALUES, GIVEN_OFFSETS, 29, 5);
  buildGiven(MATCH_GIVEN, MATCH_VALUES, GIVEN_MATCHES, 53, 6);
}

/** Forgets what the frame before had. */
export function startSequences(): void {
  if (!isPrepared) prepare();
  lengths = 0;
  offsets = 0;
  matches = 0;
  recent0 = 1;
  recent1 = 4;
  recent2 = 8;
}

/** Reads a table that a block describes; gives the position behind it, 0 when it is broken. */
function readTable(
  isSingle: bool,
  at: usize,
  end: usize,
  table: usize,
  values: usize,
  mostAccuracy: u32,
  count: u32,
): usize {
  if (!isSingle) return readFse(at, end, table, values, mostAccuracy, count - 1);
  if (at >= end || load<u8>(at) >= <u8> count) return 0;
  buildSingle(table, values, load<u8>(at));
  return at + 1;
}

/** Reads the tables, or takes those that the format gives or the block before had; 0 when they are broken. */
function readTables(at: usize, end: usize, modes: u32): usize {
  const length = modes >> 6, offset = (modes >> 4) & 3, match = (modes >> 2) & 3;
  if (length == 0) {
    lengths = LENGTH_GIVEN;
    lengthBits = 6;
  } else if (length < 3) {
    at = readTable(length == 1, at, end, LENGTH_OWN, LENGTH_VALUES, 9, LENGTHS);
    if (at == 0) return 0;
    lengths = LENGTH_OWN;
    lengthBits = accuracy;
  }
  if (offset == 0) {
    offsets = OFFSET_GIVEN;
    offsetBits = 5;
  } else if (offset < 3) {
    at = readTable(offset == 1, at, end, OFFSET_OWN, OFFSET_VALUES, 8, OFFSETS);
    if (at == 0) return 0;
    offsets = OFFSET_OWN;
    offsetBits = accuracy;
  }
  if (match == 0) {
    matches = MATCH_GIVEN;
    matchBits = 6;
  } else if (match < 3) {
    at = readTable(match == 1, at, end, MATCH_OWN, MATCH_VALUES, 9, MATCHES);
    if (at == 0) return 0;
    matches = MATCH_OWN;
    matchBits = accuracy;
  }
  return lengths == 0 || offsets == 0 || matches == 0 ? 0 : at;
}

function broken(): usize {
  return fail(BAD_COMPRESSION);
}

/**
 * Reads the sequences that stand from `at` to `end`, and carries them out with the literals that were read last. Gives where
 * the output ends, 0 with the error set. Up to 16 bytes behind that are touched, or what slack there is behind `stop`.
 * @param first where the frame's output begins; @param to where the block's does
 */
export function runSequences(at: usize, end: usize, first: usize, to: usize, stop: usize): usize {
  if (at >= end) return broken();
  let count = <u32> load<u8>(at++);
  if (count == 0) return at == end ? putRest(literalsAt, to, stop) : broken();
  if (count == 255) {
    count = <u32> load<u16>(at) + 0x7f00;
    at += 2;
  } else if (count >= 128) count = ((count - 128) << 8) + load<u8>(at++);
  if (at >= end) return broken();
  const modes = <u32> load<u8>(at++);
  if ((modes & 3) != 0) return broken();
  const start = readTables(at, end, modes);
  if (start == 0) return broken();

  let left = bitsOf(start, end);
  let bits = nextBits(start, left);
  let length = take(bits, lengthBits);
  bits <<= <u64> lengthBits;
  let offset = take(bits, offsetBits);
  bits <<= <u64> offsetBits;
  let match = take(bits, matchBits);
  left -= lengthBits + offsetBits + matchBits;
  let literal = literalsAt;
  const lastLiteral = literalsEnd;
  const lengthTable = lengths, offsetTable = offsets, matchTable = matches;
  let near0 = recent0, near1 = recent1, near2 = recent2;
  for (let n = count; n != 0; n--) {
    const lengthEntry = load<u64>(lengthTable + (<usize> length << 3));
    const offsetEntry = load<u64>(offsetTable + (<usize> offset << 3));
    const matchEntry = load<u64>(matchTable + (<usize> match << 3));
    const offsetExtra = <u32> (offsetEntry >> 56), matchExtra = <u32> (matchEntry >> 56);
    if (offsetExtra > LONGEST_OFFSET) return broken();
    bits = nextBits(start, left);
    let distance = <u32> offsetEntry + take(bits, offsetExtra);
    const matched = <u32> matchEntry + take(bits << <u64> offsetExtra, matchExtra);
    left -= offsetExtra + matchExtra;
    bits = nextBits(start, left);
    const lengthExtra = <u32> (lengthEntry >> 56);
    const put = <u32> lengthEntry + take(bits, lengthExtra);
    left -= lengthExtra;
    if (n != 1) {
      bits <<= <u64> lengthExtra;
      const a = <u32> (lengthEntry >> 48) & 0xff;
      length = (<u32> (lengthEntry >> 32) & 0xffff) + take(bits, a);
      bits <<= <u64> a;
      const b = <u32> (matchEntry >> 48) & 0xff;
      match = (<u32> (matchEntry >> 32) & 0xffff) + take(bits, b);
      bits <<= <u64> b;
      const c = <u32> (offsetEntry >> 48) & 0xff;
      offset = (<u32> (offsetEntry >> 32) & 0xffff) + take(bits, c);
      left -= a + b + c;
    }
    if (left < 0) return broken();

    // of a value up to 3 it is one of the distances before (RFC 8878, 3.1.1.5)
    if (distance > 3) {
      distance -= 3;
      near2 = near1;
      near1 = near0;
      near0 = distance;
    } else {
      const which = distance - u32(put != 0);
      if (which == 0) distance = near0;
      else {
        distance = which == 1 ? near1 : which == 2 ? near2 : near0 - 1;
        if (which > 1) near2 = near1;
        near1 = near0;
        near0 = distance;
      }
    }
    if (
      put > <u32> (lastLiteral - literal) || <u64> put + matched > <u64> (stop - to) ||
      distance - 1 >= <u32> (to + put - first)
    ) return broken();
    copyFew(to, literal, put);
    literal += put;
    to += put;
    copyMatch(to, distance, matched);
    to += matched;
  }
  if (left != 0) return broken();
  recent0 = near0;
  recent1 = near1;
  recent2 = near2;
  return putRest(literal, to, stop);
}

/** Puts the literals that follow the last sequence. */
function putRest(literal: usize, to: usize, stop: usize): usize {
  const rest = <u32> (literalsEnd - literal);
  if (rest > <u32> (stop - to)) return broken();
  copyFew(to, literal, rest);
  return to + rest;
}

/** Repeats what stands `distance` bytes before; up to 15 bytes more are written. */
@inline
function copyMatch(to: usize, distance: u32, length: u32): void {
  const stop = to + length;
  let from = to - distance;
  if (distance >= 16) {
    do {
      store<u64>(to, load<u64>(from));
      store<u64>(to, load<u64>(from, 8), 8);
      to += 16;
      from += 16;
    } while (to < stop);
  } else if (distance >= 8) {
    do {
      store<u64>(to, load<u64>(from));
      to += 8;
      from += 8;
    } while (to < stop);
  } else copyPattern(to, from, stop);
}

/** Of fewer than 8 bytes. */
function copyPattern(to: usize, from: usize, stop: usize): void {
  // the pattern is doubled until it spans 8 bytes
  let period = to - from;
  while (to < stop && period < 8) {
    for (let n: usize = 0; n < period && to + n < stop; n++) store<u8>(to + n, load<u8>(from + n));
    to += period;
    period <<= 1;
  }
  for (; to < stop; to += 8) store<u64>(to, load<u64>(to - period));
}
