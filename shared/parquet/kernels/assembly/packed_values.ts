/**
 * Values as they came by snappy, kept beside the values themselves: a page takes them over instead of compressing anew. What
 * the elements of a stream refer to lies in what they make themselves, so those of several streams may follow each other
 * behind one length (google/snappy format_description.txt).
 */
import { Column } from "./column";
import { reserve } from "./memory";
import { encodeRange, putLength, snappyBound } from "./snappy";

/** Fewer bytes are compressed anew, as snappy finds the more to refer to the more lies in its block of 64 KiB. */
const LEAST: u32 = 32 * 1024;

/** A stretch of the pending values: where it begins, its length, and that of its elements. */
@unmanaged
class Stretch {
  at: u32;
  length: u32;
  packed: u32;
}

let passing: bool = false;

/** Says whether pages are to be compressed by snappy, so that what comes so is worth keeping. */
export function passPacked(on: bool): void {
  passing = on;
}

@inline
function stretch(c: Column, i: u32): Stretch {
  return changetype<Stretch>(c.stretches + i * offsetof<Stretch>());
}

/**
 * Keeps the elements of a snappy stream that was decompressed to the `length` bytes at `at` of the pending PLAIN values.
 * Where they shrank too little, are too few, or there is no memory, they are not kept.
 */
export function keepPacked(c: Column, at: u32, length: u32, stream: usize, streamLength: u32): void {
  if (!passing || length < LEAST) return;
  let from = stream;
  while (load<u8>(from++) >= 128) {}
  const packed = streamLength - <u32> (from - stream);
  if (packed > length - (length >> 4)) return;
  const count = c.stretchCount;
  const size = <u32> offsetof<Stretch>();
  const stretches = reserve(c.stretches, count * size, (count + 1) * size);
  if (stretches == 0) return;
  c.stretches = stretches;
  const bytes = reserve(c.packed, c.packedBytes, c.packedBytes + packed);
  if (bytes == 0) return;
  c.packed = bytes;
  memory.copy(bytes + c.packedBytes, from, packed);
  const one = stretch(c, count);
  one.at = at;
  one.length = length;
  one.packed = packed;
  c.packedBytes += packed;
  c.stretchCount = count + 1;
}

/** Forgets what is kept of values behind the pending ones, which were rolled back. */
export function truncatePacked(c: Column): void {
  while (c.stretchCount > 0) {
    const last = stretch(c, c.stretchCount - 1);
    if (last.at + last.length <= c.valueBytes) return;
    c.packedBytes -= last.packed;
    c.stretchCount--;
  }
}

/** Forgets what is kept of the first `valueBytes` bytes of the pending values, which a page took, and of what lies across. */
export function dropPacked(c: Column, valueBytes: u32): void {
  let gone: u32 = 0;
  let packed: u32 = 0;
  while (gone < c.stretchCount && stretch(c, gone).at < valueBytes) packed += stretch(c, gone++).packed;
  const left = c.stretchCount - gone;
  for (let i: u32 = 0; i < left; i++) {
    const from = stretch(c, gone + i);
    const to = stretch(c, i);
    to.at = from.at - valueBytes;
    to.length = from.length;
    to.packed = from.packed;
  }
  c.stretchCount = left;
  c.packedBytes -= packed;
  if (packed > 0 && c.packedBytes > 0) memory.copy(c.packed, c.packed + packed, c.packedBytes);
}

/** The most bytes that {@link packPage} makes of `length`. */
export function packBound(c: Column, length: u32): u32 {
  return snappyBound(length) + 32 * (c.stretchCount + 1);
}

/**
 * Compresses a page of `length` bytes, whose last `valueBytes` are the first of the pending values: stretches of them are
 * taken over that lie in the page as a whole. Gives the length.
 */
export function packPage(c: Column, page: usize, length: u32, valueBytes: u32, target: usize): u32 {
  let op = putLength(target, length);
  let from = page;
  const values = page + length - valueBytes;
  let packed = c.packed;
  for (let i: u32 = 0; i < c.stretchCount; i++) {
    const one = stretch(c, i);
    if (one.at + one.length > valueBytes) break;
    const start = values + one.at;
    op = encodeRange(from, <u32> (start - from), op);
    memory.copy(op, packed, one.packed);
    op += one.packed;
    packed += one.packed;
    from = start + one.length;
  }
  op = encodeRange(from, <u32> (page + length - from), op);
  return <u32> (op - target);
}
