import { strict as assert } from "node:assert";
import { crc32, gunzipSync, gzipSync } from "node:zlib";
import { gunzip } from "../../shared/compression/gzip.ts";
import { hostLimits } from "../../shared/compression/host_limits.ts";
import { join } from "../avro/avro_writer.ts";
import { assertBytes, samples } from "../avro/codec/samples.ts";
import { fault } from "./fault.ts";

const room = 1 << 20;
const gzipped = (data: Uint8Array) => new Uint8Array(gzipSync(data));

Deno.test("what zlib gzips is unpacked to the same bytes, alone and as members in a row", () => {
  const [a, b] = [samples()[17], samples()[3]];
  for (const data of samples()) assertBytes(gunzip(gzipped(data), room), data);
  const none = new Uint8Array(0);
  const members = join(gzipped(a), gzipped(none), gzipped(b), gzipped(a));
  assertBytes(gunzip(members, room), join(a, b, a));
  assertBytes(gunzip(join(members, new Uint8Array(9)), room), join(a, b, a));
});

Deno.test("a header may hold an extra field, a name, a comment and its own CRC", () => {
  const data = samples()[12];
  const plain = gzipped(data);
  const header = join(plain.subarray(0, 10), [3, 0, 1, 0, 2], [97, 0], [98, 99, 0]);
  header[3] = 2 | 4 | 8 | 16;
  const check = crc32(header) & 0xffff;
  const crc = [check & 255, check >> 8];
  assertBytes(gunzip(join(header, crc, plain.subarray(10)), room), data);
  crc[0] ^= 1;
  assert.match(
    fault("broken", () => gunzip(join(header, crc, plain.subarray(10)), room)),
    /CRC-16/,
  );
});

Deno.test("gzip cut short anywhere is refused", () => {
  const stored = gzipped(samples()[12]);
  for (let length = 0; length < stored.length; length++) {
    fault("broken", () => gunzip(stored.subarray(0, length), room));
  }
});

Deno.test("another CRC, another size, another method and garbage behind a member are refused", () => {
  const stored = gzipped(samples()[12]);
  const changed = (at: number, byte: number) => stored.map((old, n) => n === at ? byte : old);
  const { length } = stored;
  const cases: [Uint8Array, RegExp][] = [
    [changed(length - 8, stored[length - 8] ^ 1), /CRC-32/],
    [changed(length - 1, 7), /another size/],
    [changed(2, 7), /begin as a member/],
    [changed(3, 0x80), /reserved flag/],
    [join(stored, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), /begin as a member/],
  ];
  for (const [bytes, words] of cases) {
    assert.match(fault("broken", () => gunzip(bytes, room)), words);
  }
});

Deno.test("members together may fill the room exactly, and not a byte more", () => {
  const stored = join(gzipped(new Uint8Array(3_000)), gzipped(new Uint8Array(2_000)));
  assert.equal(gunzip(stored, 5_000).length, 5_000);
  fault("too_large", () => gunzip(stored, 4_999));
});

Deno.test("a member's copies do not reach into the member before it", () => {
  const first = gzipped(Uint8Array.from([1, 2, 3, 4]));
  // fixed codes: a copy of 3 bytes from 1 before, of which there are none
  const second = join(first.subarray(0, 10), [0x03, 0x02, 0x00], new Uint8Array(8));
  assert.match(fault("broken", () => gunzip(join(first, second), room)), /before their beginning/);
});

Deno.test("the host's limits are those of its node:zlib", () => {
  const options = { maxOutputLength: 1_000 };
  const unpack = () => gunzipSync(gzipped(new Uint8Array(100_000)), options);
  if (hostLimits().gzip) assert.throws(unpack);
  else assert.equal(unpack().length, 100_000);
});
