import { brotliDecompressSync } from "node:zlib";
import { inOnePiece, releaseOutput } from "./one_piece.ts";
import { broken } from "./compression_fault.ts";

/** Bytes behind the input; a stream that has ended leaves them alone. */
const behind = 8;

/**
 * Decompresses one brotli stream (RFC 7932); bytes behind its end are passed over, as by other readers. Of a stream
 * without an end Deno's node:zlib gives what it has got, so the bytes that it took are counted.
 * Only for runtimes whose node:zlib has a bound ({@link hostLimits}).
 *
 * @param room most bytes of output
 * @throws CompressionFault, and what node:zlib throws
 */
export function unbrotli(input: Uint8Array, room: number): Uint8Array {
  const padded = new Uint8Array(input.length + behind);
  padded.set(input);
  const { buffer, engine } = brotliDecompressSync(padded, {
    ...inOnePiece(room),
    info: true,
  }) as unknown as { buffer: Uint8Array; engine: { bytesWritten: number } };
  releaseOutput(padded);
  if (engine.bytesWritten > input.length) throw broken("brotli: the data ends too soon");
  return buffer;
}
