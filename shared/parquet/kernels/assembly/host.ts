/** What the kernels ask TypeScript to do. */

/** CRC-32 of a page, by node:zlib (5 GB/s; wasm reaches 1.5). */
export declare function crc32(ptr: usize, length: u32): i32;
/**
 * Decompresses gzip, brotli and, for who only reads, zstd: 1 when exactly `dstLen` bytes came out, 0 when they didn't, 2 when the host
 * has no bounded way to.
 */
export declare function inflate(
  codec: u32,
  src: usize,
  srcLen: u32,
  dst: usize,
  dstLen: u32,
): i32;
