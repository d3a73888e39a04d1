import { strict as assert } from "node:assert";
import * as zstd from "@bokuweb/zstd-wasm";
import { decompress } from "../../../shared/avro/codec/decompress.ts";
import { Zstd } from "../../../shared/compression/zstd.ts";
import { join } from "../avro_writer.ts";
import { assertBytes, fault, samples } from "./samples.ts";

const room = 1 << 20;
const instance = await Zstd.open();
const unzstd = (stored: Uint8Array, most: number) =>
  decompress("zstandard", stored, most, instance);

/** A frame that does not declare its size, made from one that does: what Avro's Java library writes. */
function withoutSize(frame: Uint8Array): Uint8Array {
  const descriptor = frame[4];
  const single = (descriptor & 0x20) !== 0;
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >>> 6];
  const blocks = frame.subarray(5 + (single ? 0 : 1) + sizeBytes);
  return join(frame.subarray(0, 4), [descriptor & 0x04, 10 << 3], blocks);
}

/**
 * `zstd --content-checksum` of "abc" × 20, by Deno 2.9's node:zlib (ZSTD_c_checksumFlag), level 3.
 */
const checked = "28b52ffd04584d0000186162630100f67443384b202f";

Deno.test("what zstd compresses at any level is given back, with and without its size", () => {
  for (const data of samples()) {
    for (const level of [1, 3, 9, 19]) {
      const frame = zstd.compress(data, level);
      assertBytes(unzstd(frame, room), data);
      assertBytes(unzstd(withoutSize(frame), room), data);
    }
  }
});

Deno.test("frames follow one another, skippable ones are passed over", () => {
  const [a, b] = [samples()[12], samples()[17]];
  const skippable = [0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9];
  const stored = join(zstd.compress(a, 3), skippable, zstd.compress(b, 3), skippable);
  assertBytes(unzstd(stored, room), join(a, b));
  assert.equal(unzstd(new Uint8Array(0), room).length, 0);
});

Deno.test("a frame's checksum is compared", () => {
  const frame = Uint8Array.from(checked.match(/../g)!, (pair) => parseInt(pair, 16));
  assert.equal(new TextDecoder().decode(unzstd(frame, room)), "abc".repeat(20));
  frame[frame.length - 1] ^= 1;
  assert.match(fault("invalid_avro", () => unzstd(frame, room)), /checksum/);
});

Deno.test("output may fill the room exactly, and not a byte more, declared or not", () => {
  const frame = zstd.compress(new Uint8Array(300_000), 3);
  for (const stored of [frame, withoutSize(frame)]) {
    assert.equal(unzstd(stored, 300_000).length, 300_000);
    assert.match(
      fault("unsupported_avro", () => unzstd(stored, 299_999)),
      /299999/,
    );
  }
});

Deno.test("a frame cut short anywhere is refused", () => {
  for (const data of samples()) {
    if (data.length === 0 || data.length > 4_000) continue;
    const frame = zstd.compress(data, 3);
    for (let length = 1; length < frame.length; length += 1 + (length >> 3)) {
      fault("invalid_avro", () => unzstd(frame.subarray(0, length), room));
    }
  }
});

Deno.test("a mutated frame gives bytes within the room or a fault, nothing else", () => {
  const frame = zstd.compress(samples()[27], 3);
  let seed = 99;
  const random = (n: number) =>
    (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % 65_536 * n >>> 16;
  let refused = 0;
  for (let n = 0; n < 3_000; n++) {
    const mutant = frame.slice();
    for (let k = random(3); k >= 0; k--) mutant[random(mutant.length)] = random(256);
    try {
      assert(unzstd(mutant, 200_000).length <= 200_000);
    } catch (thrown) {
      assert.equal((thrown as Error).name, "AvroFault", String(thrown));
      refused++;
    }
  }
  assert(refused > 1_000, `${refused} of 3000 were refused`);
});

Deno.test("a frame that declares more than its blocks can hold is given no memory for it", async () => {
  const zstd = await Zstd.open();
  const before = zstd.memoryBytes;
  // magic, a descriptor with a size of 4 bytes, the window, 16 MB, one raw block of one byte
  const frame = Uint8Array.from([
    ...[0x28, 0xb5, 0x2f, 0xfd, 0x80, 0x58],
    ...[0, 0, 0, 1],
    ...[9, 0, 0, 7],
  ]);
  fault("invalid_avro", () => decompress("zstandard", frame, 1 << 26, zstd));
  assert.equal(zstd.memoryBytes, before);
});
