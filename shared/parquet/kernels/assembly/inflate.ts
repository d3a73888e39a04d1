/** Decompresses a page of the open chunk by its codec. */
import { BAD_COMPRESSION, fail, NOT_COPIED, UNKNOWN_CODEC } from "./errors";
import * as host from "./host";
import { lz4Decode, lz4HadoopDecode } from "./lz4";
import { chunk } from "./open_chunk";
import { snappyDecode } from "./snappy";
import { zstdDecode } from "./zstd";

/** Decompresses into `dst`, which has room for `dstLen` bytes and slack. */
export function inflate(src: usize, srcLen: u32, dst: usize, dstLen: u32): bool {
  if (chunk.codec == 1) return snappyDecode(src, srcLen, dst, dstLen);
  if (chunk.codec == 7) return lz4Decode(src, srcLen, dst, dstLen);
  if (chunk.codec == 5) return lz4HadoopDecode(src, srcLen, dst, dstLen);
  // who only reads has it from the host
  if (!isDefined(READS_ONLY) && chunk.codec == 6) return zstdDecode(src, srcLen, dst, dstLen);
  if (chunk.codec == 2 || chunk.codec == 4 || chunk.codec == 6) {
    if (dstLen == 0 && srcLen == 0) return true;
    // of brotli Deno's node:zlib tells no broken end, which DuckDB refuses
    if (chunk.copied && (chunk.codec == 4 || chunk.codec == 2 && hasFlags(src, srcLen))) {
      return <bool> fail(NOT_COPIED);
    }
    const done = host.inflate(chunk.codec, src, srcLen, dst, dstLen);
    if (done == 1) return true;
    if (done == 0) return <bool> fail(BAD_COMPRESSION, 0);
  }
  return <bool> fail(UNKNOWN_CODEC, chunk.codec);
}

/**
 * Whether a gzip member, or what looks like one, has flags (RFC 1952, 2.3.1), which DuckDB refuses. Where a member
 * begins only the decompressor knows, and a page that is not copied is none the worse for it.
 */
function hasFlags(src: usize, length: u32): bool {
  for (let i: u32 = 0; i + 4 <= length; i++) {
    if ((load<u32>(src + i) & 0xffffff) == 0x088b1f && load<u8>(src + i, 3) != 0) return true;
  }
  return false;
}
