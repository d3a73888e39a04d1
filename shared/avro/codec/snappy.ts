import { crc32 } from "node:zlib";
import { invalid } from "../avro_error.ts";
import { tooLarge } from "../../compression/compression_fault.ts";
import { Output } from "../../compression/output.ts";

/** No element of snappy makes more: a copy with a two-byte offset turns 3 bytes into at most 64. */
const mostExpansion = 22;

/**
 * A block of Avro's codec `snappy`: raw snappy (google/snappy, format_description.txt), then the big-endian
 * CRC-32 of the uncompressed bytes (Avro 1.12, "Optional Codecs").
 *
 * @param room most bytes of output
 */
export function decompressSnappy(stored: Uint8Array, room: number): Uint8Array {
  const end = stored.length - 4;
  if (end < 1) throw invalid("snappy: the block is shorter than its checksum");
  let position = 0, declared = 0;
  for (let shift = 0;; shift += 7) {
    if (position >= end || shift > 28) throw invalid("snappy: the length is broken");
    const byte = stored[position++];
    declared += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  if (declared > end * mostExpansion) {
    throw invalid(`snappy: ${end} bytes cannot hold the ${declared} that are declared`);
  }
  if (declared > room) throw tooLarge(room);
  const output = new Output(declared, declared);
  while (position < end) {
    const tag = stored[position++];
    let length: number, distance: number;
    switch (tag & 3) {
      case 0: {
        length = tag >>> 2;
        if (length >= 60) {
          const size = length - 59;
          if (position + size > end) throw cutShort();
          length = 0;
          for (let n = 0; n < size; n++) length += stored[position++] * 2 ** (8 * n);
        }
        length++;
        if (position + length > end) throw cutShort();
        if (output.length + length > declared) throw tooMuch();
        output.append(stored.subarray(position, position + length));
        position += length;
        continue;
      }
      case 1:
        length = ((tag >>> 2) & 7) + 4;
        distance = ((tag >>> 5) << 8) | stored[position];
        position += 1;
        break;
      case 2:
        length = (tag >>> 2) + 1;
        distance = stored[position] | (stored[position + 1] << 8);
        position += 2;
        break;
      default:
        length = (tag >>> 2) + 1;
        distance = (stored[position] | (stored[position + 1] << 8) |
          (stored[position + 2] << 16) | (stored[position + 3] << 24)) >>> 0;
        position += 4;
    }
    if (position > end) throw cutShort();
    if (output.length + length > declared) throw tooMuch();
    output.repeat(distance, length);
  }
  if (output.length !== declared) throw invalid("snappy: the block is shorter than it declares");
  const data = output.done();
  const checksum = new DataView(stored.buffer, stored.byteOffset + end, 4).getUint32(0);
  // Deno 2.1 gives the checksum as a signed number
  if (crc32(data) >>> 0 !== checksum) throw invalid("snappy: the CRC-32 of the block differs");
  return data;
}

function cutShort() {
  return invalid("snappy: the data ends within an element");
}

function tooMuch() {
  return invalid("snappy: the block is longer than it declares");
}
