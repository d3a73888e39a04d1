import { broken } from "./compression_fault.ts";
import { inflateOnto } from "./inflate.ts";
import { Output } from "./output.ts";

/** The CRC-32 of gzip (RFC 1952, 8). */
export type Crc32 = (bytes: Uint8Array) => number;

// RFC 1952, 2.3.1: flags of a member's header
const flag = { headerCrc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 };

/** CRC32 and ISIZE behind the data. */
const trailerBytes = 8;

/**
 * Decompresses gzip (RFC 1952): members one after the other, and zeros behind the last one. Checks the CRC and
 * the size of each.
 *
 * @param room most bytes of output
 * @throws CompressionFault
 */
export function gunzipMembers(input: Uint8Array, room: number, crc32: Crc32): Uint8Array {
  const output = new Output(Math.min(input.length * 4, 1 << 20), room);
  let at = 0;
  do at = readMember(input, at, output, crc32); while (at < input.length && !isPadding(input, at));
  return output.done();
}

function readMember(input: Uint8Array, start: number, output: Output, crc32: Crc32): number {
  const from = output.length;
  let at = skipHeader(input, start, crc32);
  at += inflateOnto(input.subarray(at), output);
  if (at + trailerBytes > input.length) throw endsTooSoon();
  const view = new DataView(input.buffer, input.byteOffset + at, trailerBytes);
  if (view.getUint32(4, true) !== (output.length - from) >>> 0) {
    throw broken("gzip: a member has another size than it declares");
  }
  const { bytes, length } = output;
  if (view.getUint32(0, true) !== crc32(bytes.subarray(from, length)) >>> 0) {
    throw broken("gzip: the CRC-32 of a member differs");
  }
  return at + trailerBytes;
}

/** The offset behind the header that begins at `start`. */
function skipHeader(input: Uint8Array, start: number, crc32: Crc32): number {
  if (start + 10 > input.length) throw endsTooSoon();
  if (input[start] !== 0x1f || input[start + 1] !== 0x8b || input[start + 2] !== 8) {
    throw broken("gzip: the data does not begin as a member");
  }
  const flags = input[start + 3];
  if (flags & flag.reserved) throw broken("gzip: a reserved flag of a member is set");
  let at = start + 10;
  if (flags & flag.extra) {
    if (at + 2 > input.length) throw endsTooSoon();
    at += 2 + (input[at] | (input[at + 1] << 8));
  }
  if (flags & flag.name) at = behindZero(input, at);
  if (flags & flag.comment) at = behindZero(input, at);
  if (flags & flag.headerCrc) {
    if (at + 2 > input.length) throw endsTooSoon();
    if ((input[at] | (input[at + 1] << 8)) !== (crc32(input.subarray(start, at)) & 0xffff)) {
      throw broken("gzip: the CRC-16 of a header differs");
    }
    at += 2;
  }
  if (at > input.length) throw endsTooSoon();
  return at;
}

function behindZero(input: Uint8Array, at: number): number {
  const zero = input.indexOf(0, at);
  if (zero === -1) throw endsTooSoon();
  return zero + 1;
}

function isPadding(input: Uint8Array, at: number): boolean {
  return input[at] === 0 && input.subarray(at).every((byte) => byte === 0);
}

function endsTooSoon() {
  return broken("gzip: the data ends too soon");
}
