/** Pages that unpack to far more than they declare. Runs on Deno 2.1 too, whose node:zlib has no limit. */
import { strict as assert } from "node:assert";
import { hostLimits } from "../../../shared/compression/host_limits.ts";
import { hostInflate, inflated } from "../../../shared/parquet/kernels/codecs.ts";
import { codec as codecs } from "../../../shared/parquet/format/metadata.ts";
import { checkAlone, compressors, gzipBomb, mergeAlone } from "./bomb_alone.ts";

const MiB = 1024 * 1024;

/** The wasm instance that decodes brotli where the host can't may take 192 MiB. */
const mostGrowth = 320 * MiB;

for (const codec of ["GZIP", "BROTLI"] as const) {
  Deno.test(`a merge rejects a ${codec} bomb without unpacking it, and takes its neighbours`, async () => {
    const { result, grown } = await mergeAlone(codec);
    assert.deepEqual(result, {
      merged: ["file0", "file2"],
      rejected: ["invalid_parquet"],
      rowCount: 6_000,
    });
    assert.ok(grown < mostGrowth, `memory grew by ${grown} bytes`);
  });

  Deno.test(`the check of an upload does not unpack a ${codec} bomb`, async () => {
    const unknown = codec === "BROTLI" && !hostLimits().brotli;
    const { result, grown } = await checkAlone(codec);
    assert.deepEqual(result, { sound: !unknown, bomb: unknown ? false : "invalid_parquet" });
    assert.ok(grown < 128 * MiB, `memory grew by ${grown} bytes`);
  });
}

Deno.test("where the host has no limit, gzip is unpacked by ours and brotli is left to the decode path", () => {
  const data = Uint8Array.from({ length: 5_000 }, (_, n) => n % 251);
  const inflate = hostInflate({ gzip: false, brotli: false });
  const target = new Uint8Array(data.length);
  assert.equal(inflate(codecs.GZIP, compressors.GZIP.good(data), target), inflated.done);
  assert.deepEqual(target, data);
  assert.equal(inflate(codecs.GZIP, gzipBomb(), target), inflated.broken);
  for (const length of [4_999, 5_001]) {
    const other = new Uint8Array(length);
    assert.equal(inflate(codecs.GZIP, compressors.GZIP.good(data), other), inflated.broken);
  }
  assert.equal(inflate(codecs.BROTLI, compressors.BROTLI.good(data), target), inflated.unknown);
});
