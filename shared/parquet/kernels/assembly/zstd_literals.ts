/** The literals of zstd's blocks (RFC 8878, 3.1.1.3.1), and the Huffman codes they are written in. */
import { BAD_COMPRESSION, fail } from "./errors";
import { reserve } from "./memory";
import { bitsOf, nextBits, take } from "./reverse_bits";
import { accuracy, readFse } from "./zstd_fse";

/** No block makes more (RFC 8878, 3.1.1.2.4). */
export const MOST_BLOCK_BYTES: u32 = 128 * 1024;

const MOST_BITS: u32 = 11;
const WEIGHTS = memory.data(256);
/** The table of the weights' own code, of 6 bits at most. */
const WEIGHT_STATES = memory.data(8 * 64);
/** At the next `treeBits` bits stands `symbol << 8 | length`. */
const TREE = memory.data(2 << 11);
/** Where the entries of each weight go on in the table, in bytes. */
const ENDS = memory.data(4 * 16);
/** 0 where there is no tree yet. */
let treeBits: u32 = 0;

/** The literals that were read last: in the input, or in a buffer of ours that is kept. */
export let literalsAt: usize = 0;
export let literalsEnd: usize = 0;
let buffer: usize = 0;

/** Forgets the tree of the frame before. */
export function startLiterals(): void {
  treeBits = 0;
}

function broken(): usize {
  return fail(BAD_COMPRESSION);
}

/** Reads the literals section that begins at `at`; gives the position behind it, 0 with the error set. */
export function readLiterals(at: usize, end: usize): usize {
  if (at >= end) return broken();
  const header = load<u32>(at);
  const format = (header >> 2) & 3;
  if ((header & 3) > 1) return readPacked(at, end, (header & 3) == 3, format);
  const headerBytes: u32 = format == 1 ? 2 : format == 3 ? 3 : 1;
  const size = headerBytes == 1
    ? (header & 0xff) >> 3
    : headerBytes == 2
    ? (header & 0xffff) >> 4
    : (header & 0xffffff) >> 4;
  at += headerBytes;
  const isRun = (header & 3) == 1;
  if (at > end || size > MOST_BLOCK_BYTES || (isRun ? 1 : size) > <u32> (end - at)) return broken();
  if (!isRun) {
    literalsAt = at;
    literalsEnd = at + size;
    return literalsEnd;
  }
  if (!makeRoom(size)) return 0;
  memory.fill(literalsAt, load<u8>(at), size);
  return at + 1;
}

/** Has the literals in our buffer. */
function makeRoom(size: u32): bool {
  const room = reserve(buffer, 0, size);
  if (room == 0) return false;
  buffer = room;
  literalsAt = room;
  literalsEnd = room + size;
  return true;
}

function readPacked(at: usize, end: usize, treeless: bool, format: u32): usize {
  const headerBytes: u32 = format < 2 ? 3 : format + 2;
  const width: u64 = format < 2 ? 10 : format == 2 ? 14 : 18;
  const header = load<u64>(at) >> 4;
  at += headerBytes;
  const size = <u32> (header & ((1 << width) - 1));
  const stored = <u32> ((header >> width) & ((1 << width) - 1));
  if (at > end || stored > <u32> (end - at) || size > MOST_BLOCK_BYTES) return broken();
  const behind = at + stored;
  if (!treeless) {
    at = readTree(at, behind);
    if (at == 0) return broken();
  } else if (treeBits == 0) return broken();
  if (!makeRoom(size)) return 0;
  const fine = format == 0
    ? readStream(at, literalsAt, literalsEnd, bitsOf(at, behind))
    : readFour(at, behind, size);
  return fine ? behind : broken();
}

/** Reads a tree's description (RFC 8878, 4.2.1); gives the position behind it, 0 when it is broken. */
function readTree(at: usize, end: usize): usize {
  if (at >= end) return 0;
  const header = <u32> load<u8>(at++);
  let count: u32;
  let behind: usize;
  if (header >= 128) {
    count = header - 127;
    behind = at + ((count + 1) >> 1);
    if (behind > end) return 0;
    for (let n: u32 = 0; n < count; n++) {
      const pair = load<u8>(at + (n >> 1));
      store<u8>(WEIGHTS + n, n & 1 ? pair & 15 : pair >> 4);
    }
  } else {
    behind = at + header;
    if (behind > end) return 0;
    count = readWeights(at, behind);
    if (count == 0) return 0;
  }
  return buildTree(count) ? behind : 0;
}

/** Weights written by two states in turn, until the bits run out (RFC 8878, 4.2.1.2); gives how many, 0 when broken. */
function readWeights(at: usize, end: usize): u32 {
  const start = readFse(at, end, WEIGHT_STATES, 0, 6, 255);
  if (start == 0) return 0;
  let left = bitsOf(start, end);
  const first = nextBits(start, left);
  let one = take(first, accuracy);
  let other = take(first << <u64> accuracy, accuracy);
  left -= accuracy << 1;
  if (left < 0) return 0;
  let count: u32 = 0;
  while (count < 254) {
    const entry = load<u64>(WEIGHT_STATES + (<usize> one << 3));
    store<u8>(WEIGHTS + count++, <u8> entry);
    const bits = <u32> (entry >> 48) & 0xff;
    const next = (<u32> (entry >> 32) & 0xffff) + take(nextBits(start, left), bits);
    left -= bits;
    one = other;
    if (left < 0) {
      store<u8>(WEIGHTS + count++, <u8> load<u64>(WEIGHT_STATES + (<usize> one << 3)));
      return count;
    }
    other = next;
  }
  return 0;
}

/** The last weight is the one that makes the sum a power of two (RFC 8878, 4.2.1.1). */
function buildTree(count: u32): bool {
  let sum: u32 = 0;
  let lowest: u32 = 0;
  for (let n: u32 = 0; n < count; n++) {
    const weight = <u32> load<u8>(WEIGHTS + n);
    if (weight > MOST_BITS) return false;
    sum += (1 << weight) >> 1;
    lowest += u32(weight == 1);
  }
  if (sum == 0) return false;
  const bits: u32 = 32 - clz<u32>(sum);
  const rest = (<u32> 1 << bits) - sum;
  if (bits > MOST_BITS || (rest & (rest - 1)) != 0) return false;
  // of a code that is no longer than it must be two symbols are longest
  if (lowest + u32(rest == 1) < 2) return false;
  store<u8>(WEIGHTS + count, <u8> (32 - clz<u32>(rest)));
  fillTree(count + 1, bits);
  treeBits = bits;
  return true;
}

/** Writes the table: symbols of lower weights first, those of one weight in their own order. */
function fillTree(count: u32, bits: u32): void {
  memory.fill(ENDS, 0, 4 * (MOST_BITS + 2));
  for (let symbol: u32 = 0; symbol < count; symbol++) {
    const weight = <u32> load<u8>(WEIGHTS + symbol);
    const end = ENDS + (<usize> (weight + 1) << 2);
    store<u32>(end, load<u32>(end) + ((2 << weight) >> 1));
  }
  store<u32>(ENDS, 0, 4); // a weight of 0 takes no place
  for (let weight: u32 = 2; weight <= bits; weight++) {
    const end = ENDS + (<usize> weight << 2);
    store<u32>(end, load<u32>(end) + load<u32>(end - 4));
  }
  for (let symbol: u32 = 0; symbol < count; symbol++) {
    const weight = <u32> load<u8>(WEIGHTS + symbol);
    if (weight == 0) continue;
    const next = ENDS + (<usize> weight << 2);
    const at = TREE + load<u32>(next);
    const span: u32 = 1 << weight;
    store<u32>(next, load<u32>(next) + span);
    const entry = <u64> ((symbol << 8) | (bits + 1 - weight)) * 0x0001000100010001;
    if (span < 8) {
      store<u16>(at, <u16> entry);
      if (span == 4) store<u16>(at, <u16> entry, 2);
    } else for (let to = at; to < at + span; to += 8) store<u64>(to, entry);
  }
}

/** The next four symbols, and above them the bits that they took: 44 at most. */
@inline
function fourSymbols(bits: u64, shift: u64): u64 {
  const a = <u32> load<u16>(TREE + (<usize> (bits >> shift) << 1));
  bits <<= <u64> (a & 0xff);
  const b = <u32> load<u16>(TREE + (<usize> (bits >> shift) << 1));
  bits <<= <u64> (b & 0xff);
  const c = <u32> load<u16>(TREE + (<usize> (bits >> shift) << 1));
  bits <<= <u64> (c & 0xff);
  const d = <u32> load<u16>(TREE + (<usize> (bits >> shift) << 1));
  const symbols = (a >> 8) | (b & 0xff00) | ((c & 0xff00) << 8) | ((d & 0xff00) << 16);
  return <u64> symbols | (<u64> ((a + b + c + d) & 0xff) << 32);
}

/** Reads symbols of one stream up to `stop`, of which it must be the end; `left` bits are left of it. */
function readStream(start: usize, to: usize, stop: usize, left: i32): bool {
  const shift: u64 = 64 - treeBits;
  while (to + 4 <= stop && left >= 48) {
    const four = fourSymbols(nextBits(start, left), shift);
    store<u32>(to, <u32> four);
    left -= <i32> (four >> 32);
    to += 4;
  }
  for (; to < stop; to++) {
    if (left < 0) return false;
    const entry = <u32> load<u16>(TREE + (<usize> (nextBits(start, left) >> shift) << 1));
    store<u8>(to, entry >> 8);
    left -= entry & 0xff;
  }
  return left == 0;
}

/** Four streams, each a quarter of the literals; together, as each waits for itself only. */
function readFour(at: usize, end: usize, size: u32): bool {
  const share = (size + 3) >> 2;
  if (at + 6 > end || share * 3 > size) return false;
  const a = at + 6;
  const b = a + load<u16>(at);
  const c = b + load<u16>(at, 2);
  const d = c + load<u16>(at, 4);
  if (d > end) return false;
  let leftA = bitsOf(a, b);
  let leftB = bitsOf(b, c);
  let leftC = bitsOf(c, d);
  let leftD = bitsOf(d, end);
  const stop = literalsEnd;
  const toB: usize = share;
  const toC: usize = share << 1;
  const toD = toB + toC;
  const shift: u64 = 64 - treeBits;
  let to = literalsAt;
  while (to + toD + 4 <= stop && leftA >= 48 && leftB >= 48 && leftC >= 48 && leftD >= 48) {
    const fourA = fourSymbols(nextBits(a, leftA), shift);
    const fourB = fourSymbols(nextBits(b, leftB), shift);
    const fourC = fourSymbols(nextBits(c, leftC), shift);
    const fourD = fourSymbols(nextBits(d, leftD), shift);
    store<u32>(to, <u32> fourA);
    store<u32>(to + toB, <u32> fourB);
    store<u32>(to + toC, <u32> fourC);
    store<u32>(to + toD, <u32> fourD);
    leftA -= <i32> (fourA >> 32);
    leftB -= <i32> (fourB >> 32);
    leftC -= <i32> (fourC >> 32);
    leftD -= <i32> (fourD >> 32);
    to += 4;
  }
  const first = literalsAt;
  return readStream(a, to, first + toB, leftA) && readStream(b, to + toB, first + toC, leftB) &&
    readStream(c, to + toC, first + toD, leftC) && readStream(d, to + toD, stop, leftD);
}
