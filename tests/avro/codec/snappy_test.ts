import { strict as assert } from "node:assert";
import { decompress } from "../../../shared/avro/codec/decompress.ts";
import { crc32 } from "node:zlib";
import { compress, join } from "../avro_writer.ts";
import { assertBytes, fault, samples } from "./samples.ts";

const room = 1 << 20;

/** Raw snappy bytes with the checksum of what they are said to hold. */
function block(snappy: number[], data = new Uint8Array(0)): Uint8Array {
  const checksum = new Uint8Array(4);
  new DataView(checksum.buffer).setUint32(0, crc32(data) >>> 0);
  return join(snappy, checksum);
}

Deno.test("what snappy compresses is given back, checked by its CRC", () => {
  for (const data of samples()) {
    assertBytes(decompress("snappy", compress("snappy", data), room), data);
  }
});

Deno.test("copies with offsets of one, two and four bytes are read", () => {
  const data = new TextEncoder().encode("abcdabcdabcdabcd");
  const literal = [16, 3 << 2, 97, 98, 99, 100];
  const copies = [(0 << 2) | 1, 4, (3 << 2) | 2, 8, 0, (3 << 2) | 3, 4, 0, 0, 0];
  assertBytes(decompress("snappy", block([...literal, ...copies], data), room), data);
});

Deno.test("another checksum is refused", () => {
  const stored = compress("snappy", samples()[7]);
  stored[stored.length - 1] ^= 1;
  assert.match(fault("invalid_avro", () => decompress("snappy", stored, room)), /CRC-32/);
});

Deno.test("a length over the room is refused before memory is taken for it", () => {
  const stored = compress("snappy", new Uint8Array(100_000));
  assert.match(fault("unsupported_avro", () => decompress("snappy", stored, 99_999)), /99999/);
});

Deno.test("broken snappy data is refused with the reason", () => {
  const cases: [number[], RegExp][] = [
    [[], /shorter than its checksum/],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 1], /length is broken/],
    [[0xff, 0xff, 0xff, 0x7f, 0, 1], /cannot hold/],
    [[5, 3 << 2, 1, 2, 3, 4], /shorter than it declares/],
    [[2, 3 << 2, 1, 2, 3, 4], /longer than it declares/],
    [[8, 7 << 2, 1, 2, 3, 4], /ends within an element/],
    [[8, 60 << 2], /ends within an element/],
    [[8, 3 << 2, 1, 2, 3, 4, 1, 5], /before their beginning/],
    [[8, 3 << 2, 1, 2, 3, 4, 1, 0], /before their beginning/],
    [[8, 3 << 2, 1, 2, 3, 4, (3 << 2) | 2, 1], /ends within an element/],
  ];
  for (const [bytes, words] of cases) {
    assert.match(fault("invalid_avro", () => decompress("snappy", block(bytes), room)), words);
  }
});
