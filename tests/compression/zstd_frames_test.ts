import { strict as assert } from "node:assert";
import * as zstd from "@bokuweb/zstd-wasm";
import { unzstd } from "../../shared/compression/zstd_frames/zstd_frames.ts";
import { assertBytes, samples } from "../avro/codec/samples.ts";
import { join } from "../avro/avro_writer.ts";

const room = 1 << 20;

/** A frame that does not declare its size, made from one that does. */
function withoutSize(frame: Uint8Array): Uint8Array {
  const descriptor = frame[4];
  const single = (descriptor & 0x20) !== 0;
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >>> 6];
  const blocks = frame.subarray(5 + (single ? 0 : 1) + sizeBytes);
  return join(frame.subarray(0, 4), [descriptor & 0x04, 10 << 3], blocks);
}

/** `zstd --content-checksum` of "abc" × 20, by Deno 2.9's node:zlib (ZSTD_c_checksumFlag), level 3. */
const checked = "28b52ffd04584d0000186162630100f67443384b202f";

const refused = (pattern: RegExp, work: () => unknown) =>
  assert.throws(
    work,
    (error: Error) => error.name === "CompressionFault" && pattern.test(error.message),
  );

Deno.test("our zstd gives back what zstd compresses at any level, with and without its size", () => {
  for (const data of samples()) {
    for (const level of [1, 3, 9, 19]) {
      const frame = zstd.compress(data, level);
      assertBytes(unzstd(frame, room), data);
      assertBytes(unzstd(withoutSize(frame), room), data);
    }
  }
});

Deno.test("our zstd compares a frame's checksum", () => {
  const frame = Uint8Array.from(checked.match(/../g)!, (pair) => parseInt(pair, 16));
  assert.equal(new TextDecoder().decode(unzstd(frame, room)), "abc".repeat(20));
  frame[frame.length - 1] ^= 1;
  refused(/checksum/, () => unzstd(frame, room));
});

Deno.test("the output of our zstd may fill the room exactly, and not a byte more, declared or not", () => {
  const frame = zstd.compress(new Uint8Array(300_000), 3);
  for (const stored of [frame, withoutSize(frame)]) {
    assert.equal(unzstd(stored, 300_000).length, 300_000);
    refused(/299999/, () => unzstd(stored, 299_999));
  }
});

Deno.test("our zstd refuses a frame that is cut short anywhere, and ends whatever bytes are changed", () => {
  for (const data of samples()) {
    const frame = zstd.compress(data, 3);
    for (let length = 1; length < frame.length; length += Math.ceil(frame.length / 40)) {
      refused(/./, () => unzstd(frame.subarray(0, length), room));
    }
    for (let at = 0; at < frame.length; at += Math.ceil(frame.length / 40)) {
      const changed = frame.slice();
      changed[at] ^= 0x55;
      try {
        assert.ok(unzstd(changed, room).length <= room);
      } catch (error) {
        assert.ok((error as Error).name === "CompressionFault", String(error));
      }
    }
  }
});
