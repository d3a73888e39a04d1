import { strict as assert } from "node:assert";
import { constants, deflateRawSync } from "node:zlib";
import { inflate } from "../../shared/compression/inflate.ts";
import { join } from "../avro/avro_writer.ts";
import { assertBytes, samples } from "../avro/codec/samples.ts";
import { fault } from "./fault.ts";

const room = 1 << 20;

function deflated(data: Uint8Array, options: Record<string, number> = {}): Uint8Array {
  return new Uint8Array(deflateRawSync(data, options));
}

Deno.test("what zlib deflates at any level and strategy is inflated to the same bytes", () => {
  const strategies = [constants.Z_DEFAULT_STRATEGY, constants.Z_FIXED, constants.Z_HUFFMAN_ONLY];
  for (const data of samples()) {
    for (const level of [0, 1, 9]) {
      for (const strategy of strategies) {
        assertBytes(inflate(deflated(data, { level, strategy }), room), data);
      }
    }
  }
});

Deno.test("output may fill the room exactly, and not a byte more", () => {
  const stored = deflated(new Uint8Array(5_000));
  assert.equal(inflate(stored, 5_000).length, 5_000);
  assert.match(fault("too_large", () => inflate(stored, 4_999)), /more than 4999 bytes/);
});

Deno.test("a stream cut short anywhere is refused", () => {
  for (const data of samples()) {
    if (data.length === 0 || data.length > 4_000) continue;
    const stored = deflated(data);
    for (let length = 0; length < stored.length; length += 1 + (length >> 3)) {
      const cut = stored.subarray(0, length);
      fault("broken", () => inflate(cut, room));
    }
  }
});

Deno.test("bytes after the last deflate block are left alone, where Avro's Python library writes some", () => {
  const data = samples()[17];
  const stored = join(deflated(data), [1, 2, 3]);
  assertBytes(inflate(stored, room), data);
});

Deno.test("broken deflate data is refused with the reason", () => {
  const cases: [number[], RegExp][] = [
    [[0x07], /type that does not exist/],
    [[0x01, 5, 0, 0, 0, 1, 2, 3, 4, 5], /stored block's length/],
    [[0x01, 5, 0, 250, 255, 1, 2], /ends too soon/],
    // fixed codes: end of block is seven zeros; 0x63 0x00 is one literal and the end
    [[0x03, 0x02, 0x00], /before their beginning/],
    [[0xfd, 0xff, 0xff, 0xff, 0xff], /too many codes|incomplete|more codes/],
  ];
  for (const [bytes, words] of cases) {
    assert.match(fault("broken", () => inflate(Uint8Array.from(bytes), room)), words);
  }
});
