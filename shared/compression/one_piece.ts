/**
 * Outputs of node:zlib in one piece. By default they come in pieces of 16 KB, which are joined: both are left to the
 * collector, which did not come before 30 MB of them were there when 100 files in gzip were merged.
 */

/** Larger outputs are joined still: how large they are is only what a page says of itself. */
const largestPiece = 4 * 1024 * 1024;

/** A buffer that is filled to its end is followed by another, whether it is needed or not. */
const spare = 64;

/** Smaller buffers may be a part of one that others have a part of, too. */
const ownBytes = 16 * 1024;

/** Options for an output of `room` bytes at most. */
export function inOnePiece(room: number): { maxOutputLength: number; chunkSize: number } {
  return {
    maxOutputLength: Math.max(1, room),
    chunkSize: Math.min(room, largestPiece) + spare,
  };
}

/** Frees the memory of bytes that are not needed any more; left to the collector it would stay for long. */
export function releaseOutput(bytes: Uint8Array): void {
  const buffer = bytes.buffer as ArrayBuffer;
  if (bytes.length >= ownBytes && buffer.byteLength <= bytes.length + largestPiece + spare) {
    buffer.transfer(0);
  }
}
