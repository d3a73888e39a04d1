/**
 * Decompression of zstd (RFC 8878): in the kernels, as what an engine spends on compiling zstd.wasm for it was more than all
 * of them take.
 */
import { xxHash64 } from "./bloom_filter";
import { BAD_COMPRESSION, fail } from "./errors";
import { boundStates } from "./zstd_fse";
import { MOST_BLOCK_BYTES, readLiterals, startLiterals } from "./zstd_literals";
import { runSequences, startSequences } from "./zstd_sequences";

const FRAME: u32 = 0xfd2fb528;
const SKIPPABLE: u32 = 0x184d2a50;

/** Windows of 2^32 bytes and more are refused, as zstd's own code does. */
const MOST_WINDOW_POWER: u32 = 31;

/** Where the frame that was read last ends, in the input. */
let frameEnd: usize = 0;

function broken(): usize {
  return fail(BAD_COMPRESSION);
}

/** Decompresses frames to exactly `dstLen` bytes; both buffers have 16 bytes of slack. */
export function zstdDecode(src: usize, srcLen: u32, dst: usize, dstLen: u32): bool {
  const end = src + srcLen;
  const stop = dst + dstLen;
  let at = src;
  let to = dst;
  boundStates(dstLen);
  while (at < end) {
    if (at + 8 > end) return <bool> broken();
    const magic = load<u32>(at);
    if (magic == FRAME) {
      to = readFrame(at + 4, end, to, stop);
      if (to == 0) return false;
      at = frameEnd;
    } else if ((magic & 0xfffffff0) == SKIPPABLE) {
      const size = load<u32>(at, 4);
      if (size > <u32> (end - at - 8)) return <bool> broken();
      at += 8 + size;
    } else return <bool> broken();
  }
  return to == stop || <bool> fail(BAD_COMPRESSION, to - dst, dstLen);
}

/** Reads a frame behind its magic number; gives where its output ends, 0 with the error set. */
function readFrame(at: usize, end: usize, first: usize, stop: usize): usize {
  const descriptor = <u32> load<u8>(at);
  const isSingle = (descriptor & 0x20) != 0;
  if ((descriptor & 8) != 0) return broken();
  let window: u64 = 0;
  if (!isSingle) {
    const exponent = <u32> load<u8>(at, 1);
    const power: u32 = 10 + (exponent >> 3);
    if (power > MOST_WINDOW_POWER) return broken();
    window = (<u64> 1 << power) + (<u64> (exponent & 7) << <u64> (power - 3));
  }
  at += isSingle ? 1 : 2;
  const dictionaryBytes: u32 = (1 << (descriptor & 3)) >> 1;
  const sizeFlag = descriptor >> 6;
  const sizeBytes: u32 = sizeFlag == 0 ? u32(isSingle) : 1 << sizeFlag;
  if (at + dictionaryBytes + sizeBytes > end) return broken();
  for (let n: u32 = 0; n < dictionaryBytes; n++) if (load<u8>(at++) != 0) return broken();
  let size: u64 = 0;
  if (sizeBytes == 1) size = load<u8>(at);
  else if (sizeBytes == 2) size = 256 + <u64> load<u16>(at);
  else if (sizeBytes == 4) size = load<u32>(at);
  else if (sizeBytes == 8) size = load<u64>(at);
  at += sizeBytes;
  const blockBytes = <u32> min<u64>(isSingle ? size : window, MOST_BLOCK_BYTES);

  startLiterals();
  startSequences();
  let to = first;
  let isLast = false;
  while (!isLast) {
    if (at + 3 > end) return broken();
    const header = load<u32>(at) & 0xffffff;
    at += 3;
    isLast = (header & 1) != 0;
    const type = (header >> 1) & 3;
    const length = header >> 3;
    if (type == 3 || (type == 1 ? 1 : length) > <u32> (end - at)) return broken();
    if (type == 2) {
      if (length > blockBytes) return broken();
      const sequences = readLiterals(at, at + length);
      if (sequences == 0) return 0;
      to = runSequences(sequences, at + length, first, to, min(stop, to + blockBytes));
      if (to == 0) return 0;
    } else {
      if (length > <u32> (stop - to)) return broken();
      if (type == 0) memory.copy(to, at, length);
      else memory.fill(to, load<u8>(at), length);
      to += length;
    }
    at += type == 1 ? 1 : length;
  }
  if (sizeBytes != 0 && size != <u64> (to - first)) return broken();
  if ((descriptor & 4) != 0) {
    if (at + 4 > end || <u32> xxHash64(first, <u32> (to - first)) != load<u32>(at)) return broken();
    at += 4;
  }
  frameEnd = at;
  return to;
}
