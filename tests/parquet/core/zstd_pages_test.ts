import { strict as assert } from "node:assert";
import * as libzstd from "@bokuweb/zstd-wasm";
import { unzstd } from "../../../shared/compression/zstd_frames/zstd_frames.ts";
import { assertBytes, samples } from "../../avro/codec/samples.ts";
import { join } from "../../avro/avro_writer.ts";
import { unpackZstd } from "../unpack_zstd.ts";

const levels = [-5, 1, 3, 9, 19];

/** `zstd --content-checksum` of "abc" × 20, by Deno 2.9's node:zlib (ZSTD_c_checksumFlag), level 3. */
const checked = Uint8Array.from(
  "28b52ffd04584d0000186162630100f67443384b202f".match(/../g)!,
  (pair) => parseInt(pair, 16),
);

/** A frame that does not declare its size, made from one that does. @param window its descriptor */
function withoutSize(frame: Uint8Array, window = 10 << 3): Uint8Array {
  const descriptor = frame[4];
  const single = (descriptor & 0x20) !== 0;
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >>> 6];
  const blocks = frame.subarray(5 + (single ? 0 : 1) + sizeBytes);
  return join(frame.subarray(0, 4), [descriptor & 0x04, window], blocks);
}

function assertUnpacked(packed: Uint8Array, data: Uint8Array): void {
  const bytes = unpackZstd(packed, data.length);
  assert.ok(bytes, `a frame of ${data.length} bytes is refused`);
  assertBytes(bytes, data);
}

Deno.test("the kernels give back what zstd compresses at any level, with and without its size", () => {
  for (const data of samples()) {
    for (const level of levels) {
      const frame = libzstd.compress(data, level);
      assertUnpacked(frame, data);
      assertUnpacked(withoutSize(frame), data);
    }
  }
});

Deno.test("the kernels read zstd frames one behind the other, and pass over such as are to be skipped", () => {
  const [one, two] = [new Uint8Array(5_000).fill(3), new TextEncoder().encode("abc".repeat(99))];
  const skipped = Uint8Array.of(0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3);
  const packed = join(libzstd.compress(one, 3), skipped, libzstd.compress(two, 3), skipped);
  assertUnpacked(packed, join(one, two));
  assert.equal(unpackZstd(packed.subarray(0, -1), one.length + two.length), undefined);
});

Deno.test("the kernels compare a zstd frame's checksum", () => {
  const data = new TextEncoder().encode("abc".repeat(20));
  assertUnpacked(checked, data);
  const changed = checked.slice();
  changed[changed.length - 1] ^= 1;
  assert.equal(unpackZstd(changed, data.length), undefined);
});

Deno.test("the kernels take a zstd page of the declared length, and of no other", () => {
  for (const size of [1, 60, 4_096, 131_072, 300_000]) {
    const data = Uint8Array.from({ length: size }, (_, i) => (i * i) >> 7);
    for (const frame of [libzstd.compress(data, 3), withoutSize(libzstd.compress(data, 3))]) {
      assert.equal(unpackZstd(frame, size - 1), undefined);
      assert.equal(unpackZstd(frame, size + 1), undefined);
    }
  }
});

Deno.test("the kernels refuse a zstd frame with a reserved bit, a dictionary, or a window over 2 GiB", () => {
  const data = new TextEncoder().encode("abc".repeat(20));
  const frame = withoutSize(libzstd.compress(data, 3));
  assertUnpacked(frame, data);
  const withBits = (bits: number) =>
    join(frame.subarray(0, 4), [frame[4] | bits], frame.subarray(5));
  assert.equal(unpackZstd(withBits(0x08), data.length), undefined);
  const dictionary = (id: number) =>
    join(frame.subarray(0, 4), [frame[4] | 1], frame.subarray(5, 6), [id], frame.subarray(6));
  assertUnpacked(dictionary(0), data);
  assert.equal(unpackZstd(dictionary(7), data.length), undefined);
  assertUnpacked(withoutSize(libzstd.compress(data, 3), 21 << 3), data);
  assert.equal(unpackZstd(withoutSize(libzstd.compress(data, 3), 22 << 3), data.length), undefined);
});

Deno.test("a zstd block is not larger than its frame's window", () => {
  const data = Uint8Array.from({ length: 4_000 }, (_, i) => (i * 7 >> 3) & 255);
  const frame = libzstd.compress(data, 3);
  assertUnpacked(withoutSize(frame, 2 << 3), data);
  assert.equal(unpackZstd(withoutSize(frame, 1 << 3), data.length), undefined);
});

Deno.test("of zstd frames that are cut short or changed anywhere the kernels take what our other decoder takes", () => {
  for (const data of samples()) {
    for (const level of [1, 19]) {
      const frame = libzstd.compress(data, level);
      for (let length = 1; length < frame.length; length += Math.ceil(frame.length / 40)) {
        assert.equal(unpackZstd(frame.subarray(0, length), data.length), undefined);
      }
      for (let at = 4; at < frame.length; at += Math.ceil(frame.length / 60)) {
        const changed = frame.slice();
        changed[at] ^= 1 << (at % 8);
        let other: Uint8Array | undefined;
        try {
          other = unzstd(changed, data.length);
        } catch {
          other = undefined;
        }
        const ours = unpackZstd(changed, data.length);
        // what libzstd bounds by the window the other decoder does not look at
        if (ours === undefined && at < 16) continue;
        assert.equal(ours === undefined, other?.length !== data.length, `byte ${at}`);
        if (ours !== undefined) assertBytes(ours, other!);
      }
    }
  }
});

Deno.test("a zstd page describes no more states than it has bytes, but for those of a block", () => {
  // of nothing but a sequence of three bytes, by tables of 512, 256 and 512 states, and before it a raw block of eight
  // deno-fmt-ignore
  const block = [0x6c, 0, 0, 0, 1, 0xa8, 0xe4, 0xff, 0xe3, 0x7f, 0xe4, 0xff, 0, 0, 0, 4];
  const frame = (count: number) =>
    join(
      [0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3, 8 << 3, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8],
      Array.from({ length: count }, () => block).flat(),
      [1, 0, 0],
    );
  assert.equal(unpackZstd(frame(1), 11)?.length, 11);
  assert.equal(unpackZstd(frame(1_000), 3_008), undefined);
});
