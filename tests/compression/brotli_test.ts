import { strict as assert } from "node:assert";
import { brotliCompressSync, constants } from "node:zlib";
import { unbrotli } from "../../shared/compression/brotli.ts";
import { hostLimits } from "../../shared/compression/host_limits.ts";
import { join } from "../avro/avro_writer.ts";
import { assertBytes, samples } from "../avro/codec/samples.ts";

const ignore = !hostLimits().brotli;

const brotlied = (data: Uint8Array, quality: number) =>
  new Uint8Array(
    brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: quality } }),
  );

Deno.test({
  name: "what zlib compresses by brotli is unpacked to the same bytes",
  ignore,
  fn() {
    for (const data of samples()) {
      for (const quality of [0, 5, 11]) {
        assertBytes(unbrotli(brotlied(data, quality), data.length), data);
      }
    }
  },
});

Deno.test({
  name: "brotli cut short anywhere is refused, and bytes behind its end are passed over",
  ignore,
  fn() {
    for (const data of [samples()[12], samples()[17]]) {
      const stream = brotlied(data, 5);
      for (let length = 0; length < stream.length; length += length < 64 ? 1 : 41) {
        assert.throws(() => unbrotli(stream.subarray(0, length), data.length));
      }
      assert.throws(() => unbrotli(stream.subarray(0, -1), data.length));
      assertBytes(unbrotli(join(stream, [3]), data.length), data);
      assertBytes(unbrotli(join(stream, new Uint8Array(20)), data.length), data);
    }
  },
});

Deno.test({
  name: "brotli that unpacks to more than there is room for is refused",
  ignore,
  fn() {
    const stream = brotlied(new Uint8Array(1000), 5);
    assert.throws(() => unbrotli(stream, 999));
    assert.equal(unbrotli(stream, 1000).length, 1000);
  },
});
