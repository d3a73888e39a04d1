/**
 * LZ4's block format (lz4_Block_format.md), as Parquet's LZ4_RAW holds it, and in Hadoop's framing, as the
 * deprecated LZ4 codec has it: decompression only.
 */
import { BAD_COMPRESSION, fail } from "./errors";

/** Decompresses to exactly `dstLen` bytes; both buffers have 16 bytes of slack. */
export function lz4Decode(src: usize, srcLen: u32, dst: usize, dstLen: u32): bool {
  const end = src + srcLen;
  const dstEnd = dst + dstLen;
  let ip = src;
  let op = dst;
  while (ip < end) {
    const token: u32 = load<u8>(ip++);
    let len: u32 = token >> 4;
    if (len == 15) {
      let b: u32;
      do {
        if (ip >= end || len > dstLen) return <bool> fail(BAD_COMPRESSION, ip - src);
        b = load<u8>(ip++);
        len += b;
      } while (b == 255);
    }
    if (len > <u32> (end - ip) || len > <u32> (dstEnd - op)) {
      return <bool> fail(BAD_COMPRESSION, ip - src);
    }
    memory.copy(op, ip, len);
    op += len;
    ip += len;
    if (ip == end) break; // the last sequence has no match
    if (ip + 2 > end) return <bool> fail(BAD_COMPRESSION, ip - src);
    const offset: u32 = load<u16>(ip);
    ip += 2;
    len = token & 15;
    if (len == 15) {
      let b: u32;
      do {
        if (ip >= end || len > dstLen) return <bool> fail(BAD_COMPRESSION, ip - src);
        b = load<u8>(ip++);
        len += b;
      } while (b == 255);
    }
    len += 4;
    if (offset == 0 || offset > <u32> (op - dst) || len > <u32> (dstEnd - op)) {
      return <bool> fail(BAD_COMPRESSION, ip - src);
    }
    const stop = op + len;
    if (offset >= 8) {
      while (op < stop) {
        store<u64>(op, load<u64>(op - offset));
        op += 8;
      }
    } else {
      while (op < stop) {
        store<u8>(op, load<u8>(op - offset));
        op++;
      }
    }
    op = stop;
  }
  if (op != dstEnd) return <bool> fail(BAD_COMPRESSION, op - dst, dstLen);
  return true;
}

@inline
function bigEndian(p: usize): u32 {
  return bswap<u32>(load<u32>(p));
}

/**
 * The deprecated LZ4 codec (Compression.md): frames of {uncompressed size, compressed size}, big-endian, each
 * with one block; some writers put a bare block there.
 */
export function lz4HadoopDecode(src: usize, srcLen: u32, dst: usize, dstLen: u32): bool {
  let ip = src;
  let op = dst;
  const end = src + srcLen;
  const dstEnd = dst + dstLen;
  while (<u32> (end - ip) >= 8) {
    const plain = bigEndian(ip);
    const packed = bigEndian(ip + 4);
    if (plain > <u32> (dstEnd - op) || packed > <u32> (end - ip - 8)) break;
    if (!lz4Decode(ip + 8, packed, op, plain)) break;
    ip += 8 + packed;
    op += plain;
  }
  if (ip == end && op == dstEnd) return true;
  return lz4Decode(src, srcLen, dst, dstLen);
}
