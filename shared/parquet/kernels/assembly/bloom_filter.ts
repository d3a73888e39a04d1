/**
 * Whether a Bloom filter knows all values of a chunk (parquet-format BloomFilter.md: split blocks, XXH64 with seed 0):
 * one that doesn't hides rows from readers.
 */
import { BYTE_ARRAY } from "./column";
import { chunk } from "./open_chunk";

@inline
const P1: u64 = 0x9e3779b185ebca87;
@inline
const P2: u64 = 0xc2b2ae3d27d4eb4f;
@inline
const P3: u64 = 0x165667b19e3779f9;
@inline
const P4: u64 = 0x85ebca77c2b2ae63;
@inline
const P5: u64 = 0x27d4eb2f165667c5;

/** The filter's bitset, its blocks of 32 bytes (0: there is none), and whether all values so far are in it. */
let bitset: usize = 0;
let blocks: u32 = 0;
let holds: bool = false;

/** Odd numbers that spread a hash over the eight words of a block. */
const SALT: usize = memory.data<u32>([
  0x47b6137b,
  0x44974d91,
  0x8824ad5b,
  0xa2b7289d,
  0x705495c7,
  0x2df1424b,
  0x9efc4947,
  0x5c6bfb31,
]);

/** Looks the values of the chunk that is opened next up in a filter; 0 blocks are none. */
export function watchFilter(address: usize, count: u32): void {
  bitset = address;
  blocks = count;
  holds = count > 0;
}

/** Whether the filter knows all values that were read. */
export function filterHolds(): bool {
  return holds;
}

@inline
function mix(sum: u64, lane: u64): u64 {
  return rotl<u64>(sum + lane * P2, 31) * P1;
}

@inline
function join(hash: u64, sum: u64): u64 {
  return (hash ^ mix(0, sum)) * P1 + P4;
}

/** XXH64 of `length` bytes with seed 0. */
export function xxHash64(p: usize, length: u32): u64 {
  const end = p + length;
  let hash: u64 = P5;
  if (length >= 32) {
    let a: u64 = P1 + P2;
    let b: u64 = P2;
    let c: u64 = 0;
    let d: u64 = 0 - P1;
    for (; p + 32 <= end; p += 32) {
      a = mix(a, load<u64>(p));
      b = mix(b, load<u64>(p, 8));
      c = mix(c, load<u64>(p, 16));
      d = mix(d, load<u64>(p, 24));
    }
    hash = rotl<u64>(a, 1) + rotl<u64>(b, 7) + rotl<u64>(c, 12) + rotl<u64>(d, 18);
    hash = join(join(join(join(hash, a), b), c), d);
  }
  hash += length;
  for (; p + 8 <= end; p += 8) hash = rotl<u64>(hash ^ mix(0, load<u64>(p)), 27) * P1 + P4;
  if (p + 4 <= end) {
    hash = rotl<u64>(hash ^ (<u64> load<u32>(p) * P1), 23) * P2 + P3;
    p += 4;
  }
  for (; p < end; p++) hash = rotl<u64>(hash ^ (<u64> load<u8>(p) * P5), 11) * P1;
  hash = (hash ^ (hash >> 33)) * P2;
  hash = (hash ^ (hash >> 29)) * P3;
  return hash ^ (hash >> 32);
}

function knows(hash: u64): bool {
  const block = bitset + (<usize> (((hash >> 32) * blocks) >> 32) << 5);
  const key = <u32> hash;
  for (let i: u32 = 0; i < 8; i++) {
    const bit = (key * load<u32>(SALT + (i << 2))) >> 27;
    if (((load<u32>(block + (i << 2)) >> bit) & 1) == 0) return false;
  }
  return true;
}

/** Looks `n` PLAIN values of the open chunk up, unless one is known to be missing. */
export function lookUp(p: usize, n: u32): void {
  if (!holds) return;
  const texts = chunk.type == BYTE_ARRAY;
  for (let i: u32 = 0; i < n; i++) {
    const length = texts ? load<u32>(p) : chunk.width;
    if (texts) p += 4;
    if (!knows(xxHash64(p, length))) {
      holds = false;
      return;
    }
    p += length;
  }
}
