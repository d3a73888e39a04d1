import type { AvroCodec } from "../header.ts";
import { inflate } from "./inflate.ts";
import { tooLarge } from "./output.ts";
import { decompressSnappy } from "./snappy.ts";
import { decompressZstandard } from "./zstandard.ts";

/**
 * The bytes of a block's objects. No codec is given more memory for its output than `room`, whatever the
 * compressed bytes declare.
 *
 * @param room most bytes of output
 * @throws AvroFault invalid_avro for broken bytes, unsupported_avro for more than `room` of them
 */
export function decompress(codec: AvroCodec, stored: Uint8Array, room: number): Uint8Array {
  switch (codec) {
    case "null":
      if (stored.length > room) throw tooLarge(room);
      return stored;
    case "deflate":
      return inflate(stored, room);
    case "snappy":
      return decompressSnappy(stored, room);
    case "zstandard":
      return decompressZstandard(stored, room);
  }
}
