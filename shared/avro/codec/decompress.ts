import { inflateRawSync } from "node:zlib";
import { CompressionFault, tooLarge } from "../../compression/compression_fault.ts";
import { inflate } from "../../compression/inflate.ts";
import { invalid, unsupported } from "../avro_error.ts";
import type { AvroCodec } from "../header.ts";
import type { Zstd } from "../../compression/zstd.ts";
import { decompressSnappy } from "./snappy.ts";
import { decompressZstandard } from "./zstandard.ts";

/** Deflate makes at most 258 bytes of 2 bits, so small blocks need no other bound than their own size. */
const mostInflation = 1032;

/**
 * The bytes of a block's objects. No codec is given more memory for its output than `room`, whatever the
 * compressed bytes declare.
 *
 * @param room most bytes of output
 * @param zstd what codec zstandard is done by
 * @throws AvroFault invalid_avro for broken bytes, unsupported_avro for more than `room` of them
 */
export function decompress(
  codec: AvroCodec,
  stored: Uint8Array,
  room: number,
  zstd?: Zstd,
): Uint8Array {
  try {
    return decompressBy(codec, stored, room, zstd);
  } catch (thrown) {
    if (!(thrown instanceof CompressionFault)) throw thrown;
    throw thrown.kind === "broken" ? invalid(thrown.message) : unsupported(thrown.message);
  }
}

function decompressBy(
  codec: AvroCodec,
  stored: Uint8Array,
  room: number,
  zstd: Zstd | undefined,
): Uint8Array {
  switch (codec) {
    case "null":
      if (stored.length > room) throw tooLarge(room);
      return stored;
    case "deflate":
      return stored.length * mostInflation <= room ? inflateByHost(stored) : inflate(stored, room);
    case "snappy":
      return decompressSnappy(stored, room);
    case "zstandard":
      if (zstd === undefined) throw new TypeError("zstandard needs an instance of zstd");
      return decompressZstandard(zstd, stored, room);
  }
}

/** node:zlib is four times as fast as ours, but bounds nothing on Deno 2.1: see compression/inflate.ts. */
function inflateByHost(stored: Uint8Array): Uint8Array {
  try {
    const { buffer, byteOffset, length } = inflateRawSync(stored, { chunkSize: 64 * 1024 });
    return new Uint8Array(buffer, byteOffset, length); // not a Buffer, whose methods differ
  } catch (thrown) {
    throw invalid(`deflate: ${(thrown as Error).message}`);
  }
}
