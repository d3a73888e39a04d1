/** Pages that unpack to far more than they declare. Runs on Deno 2.1 too, whose node:zlib has no limit. */
import { parquetWriteBuffer } from "hyparquet-writer";
import { strict as assert } from "node:assert";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { hostLimits } from "../../../shared/compression/host_limits.ts";
import { SedimentError } from "../../../shared/errors.ts";
import { checkValues } from "../../../shared/parquet/inspect/check_values.ts";
import { normalizer } from "../../../shared/parquet/merge/decode/normalize.ts";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { hostInflate, inflated } from "../../../shared/parquet/kernels/codecs.ts";
import { codec as codecs } from "../../../shared/parquet/format/metadata.ts";
import { mergeBytes } from "./merge_bytes.ts";
import { peakAbove } from "../peak_memory.ts";

const MiB = 1024 * 1024;

/** What the bombs unpack to. */
const bombBytes = 512 * MiB;

/** The wasm instance that decodes brotli where the host can't may take 192 MiB. */
const mostGrowth = 320 * MiB;

/** Zeros by brotli at quality 5, in one stream. */
const brotliBomb = Uint8Array.from(
  atob(
    "z///fwAkAOKxQHLv//n//w+ABEAcFoDu/T////8BkACIwwLQvf/n//8/ABIAcVgAuvf//P//B0ACIA4LQPf+n///" +
      "/wBIAMRhAeje//P//x8ACYA4LADd+3/+//8DIAEQhwWge//P//9/ACQA4rAAdO//+f//D4AEQBwWgO79P////wGQ" +
      "AIjDAtC9/+f//z8AEgBxWAC69//8//8HQAIgDgtA9/6f////AEgAxGEB6N7/8///HwAJgDgsAN37f/7//wMgARCH" +
      "BaB7/8///38AJADisAB07//5//8PgARAHBaA7v0/////AZAAiMMC0L3/5///PwASAHFYALr3//z//wdAAiAOC0D3" +
      "/p////8ASADEYQHo3v/z//8fAAmAOCwA3ft//v//AyABEIcFoHv/z///fwAkAOKwAHTv//n//w+ABEAcFoDu/T//" +
      "//8BkACIwwLQvf/n//8/ABIAcVgAuvf//P//B0ACIA4LQPf+n////wBIAMRhAeje//P//x8ACYA4LADd+//8//8H" +
      "IAEQhwWge/8P",
  ),
  (letter) => letter.charCodeAt(0),
);

function gzipBomb(): Uint8Array {
  const member = gzipSync(new Uint8Array(MiB));
  const bomb = new Uint8Array(member.length * (bombBytes / MiB));
  for (let at = 0; at < bomb.length; at += member.length) bomb.set(member, at);
  return bomb;
}

const compressors = {
  GZIP: { good: (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes)), bomb: gzipBomb },
  BROTLI: {
    good: (bytes: Uint8Array) => new Uint8Array(brotliCompressSync(bytes)),
    bomb: () => brotliBomb,
  },
};

function fileOf(codec: "GZIP" | "BROTLI", compress: (bytes: Uint8Array) => Uint8Array) {
  const data = Array.from({ length: 3_000 }, (_, n) => n * 7);
  return new Uint8Array(parquetWriteBuffer({
    columnData: [{ name: "n", data, type: "INT32" }],
    codec,
    compressors: { [codec]: compress },
  }));
}

for (const codec of ["GZIP", "BROTLI"] as const) {
  Deno.test(`a merge rejects a ${codec} bomb without unpacking it, and takes its neighbours`, async () => {
    const good = fileOf(codec, compressors[codec].good);
    const bomb = fileOf(codec, compressors[codec].bomb);
    const grown = await peakAbove(async () => {
      const { result } = await mergeBytes([good, bomb, good], 9_000, { normalize: normalizer() });
      assert.deepEqual(result.merged, ["file0", "file2"]);
      assert.deepEqual(result.rejected.map(({ error }) => error.code), ["invalid_parquet"]);
      assert.equal(result.rowCount, 6_000);
    });
    assert.ok(grown < mostGrowth, `memory grew by ${grown} bytes`);
  });

  Deno.test(`the check of an upload does not unpack a ${codec} bomb`, async () => {
    const unknown = codec === "BROTLI" && !hostLimits().brotli;
    const good = fileOf(codec, compressors[codec].good);
    const bomb = fileOf(codec, compressors[codec].bomb);
    assert.equal(await checkValues(good, inspectParquetBytes(good)), !unknown);
    const grown = await peakAbove(async () => {
      const check = checkValues(bomb, inspectParquetBytes(bomb));
      if (unknown) return assert.equal(await check, false);
      await assert.rejects(
        check,
        (error) => error instanceof SedimentError && error.code === "invalid_parquet",
      );
    });
    assert.ok(grown < 128 * MiB, `memory grew by ${grown} bytes`);
  });
}

Deno.test("where the host has no limit, gzip is unpacked by ours and brotli is left to the decode path", () => {
  const data = Uint8Array.from({ length: 5_000 }, (_, n) => n % 251);
  const inflate = hostInflate(() => undefined, { gzip: false, brotli: false });
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
