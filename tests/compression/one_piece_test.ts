import { Buffer } from "node:buffer";
import { strict as assert } from "node:assert";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { hostLimits } from "../../shared/compression/host_limits.ts";
import { releaseOutput } from "../../shared/compression/one_piece.ts";
import { hostInflate, inflated } from "../../shared/parquet/kernels/codecs.ts";
import { codec } from "../../shared/parquet/format/metadata.ts";

const KiB = 1024, MiB = 1024 * KiB;
const inflate = hostInflate();

Deno.test("pages of any size are unpacked by the host to their bytes, and none of another size", () => {
  for (
    const size of [1, 63, 4 * KiB, 16 * KiB - 1, 16 * KiB, 64 * KiB, 4 * MiB, 4 * MiB + 65, 9 * MiB]
  ) {
    const page = Uint8Array.from({ length: size }, (_, i) => (i * i) >> 5);
    const packed = [
      [codec.GZIP, gzipSync(page)] as const,
      ...(hostLimits().brotli ? [[codec.BROTLI, brotliCompressSync(page)] as const] : []),
    ];
    for (const [which, bytes] of packed) {
      const source = new Uint8Array(bytes), target = new Uint8Array(size);
      assert.equal(inflate(which, source, target), inflated.done, `${size}`);
      assert.equal(Buffer.compare(target, page), 0, `${size}`);
      assert.ok(source.length > 0, "the source is the caller's");
      assert.equal(inflate(which, source, new Uint8Array(size - 1)), inflated.broken);
      assert.equal(inflate(which, source, new Uint8Array(size + 1)), inflated.broken);
    }
  }
});

Deno.test("bytes that share their memory with others are left to them", () => {
  const [one, other] = [Buffer.from("one"), Buffer.from("other")];
  releaseOutput(one);
  assert.equal(other.toString(), "other");
  const large = new Uint8Array(9 * MiB);
  releaseOutput(large.subarray(0, 20 * KiB));
  assert.equal(large.length, 9 * MiB);
  releaseOutput(large);
  assert.equal(large.length, 0);
});
