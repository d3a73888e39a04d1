/** A page whose brotli stream has no end: DuckDB and arrow-rs don't read it, whatever node:zlib makes of it. */
import { parquetWriteBuffer } from "hyparquet-writer";
import { strict as assert } from "node:assert";
import { brotliCompressSync } from "node:zlib";
import { hostLimits } from "../../../shared/compression/host_limits.ts";
import { SedimentError } from "../../../shared/errors.ts";
import { checkValues } from "../../../shared/parquet/inspect/check_values.ts";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { rowsOfBytes } from "../sample_files.ts";
import { mergeBytes, paths } from "./merge_bytes.ts";

const rows = 3_000;

function fileOf(change: (stream: Uint8Array) => Uint8Array): Uint8Array {
  // noise is stored as it is, and only an empty block behind it ends the stream
  const data = Array.from({ length: rows }, (_, n) => Math.imul(n, 0x9e3779b1) ^ (n << 7));
  const compress = (bytes: Uint8Array) => change(new Uint8Array(brotliCompressSync(bytes)));
  return new Uint8Array(parquetWriteBuffer({
    columnData: [{ name: "n", data, type: "INT32" }],
    codec: "BROTLI",
    compressors: { BROTLI: compress },
  }));
}

const good = fileOf((stream) => stream);

Deno.test("a brotli page without its end is refused at upload and in every way of merging", async () => {
  const bad = fileOf((stream) => stream.subarray(0, -1));
  const named = (error: unknown) => {
    assert.ok(error instanceof SedimentError && error.code === "invalid_parquet", String(error));
    return true;
  };
  if (hostLimits().brotli) {
    assert.equal(await checkValues(good, inspectParquetBytes(good)), true);
    await assert.rejects(checkValues(bad, inspectParquetBytes(bad)), named);
  }
  for (const [way, settings] of Object.entries(paths)) {
    const { result, output } = await mergeBytes([good, bad, good], 3 * rows, { settings });
    assert.deepEqual(result.merged, ["file0", "file2"], way);
    named(result.rejected[0].error);
    assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(good, good));
  }
});

Deno.test("a brotli page with bytes behind its end is taken, as by DuckDB", async () => {
  const file = fileOf((stream) => new Uint8Array([...stream, 3]));
  for (const [way, settings] of Object.entries(paths)) {
    const { result, output } = await mergeBytes([good, file], 2 * rows, { settings });
    assert.deepEqual(result.merged, ["file0", "file1"], way);
    assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(good, file));
  }
});

Deno.test("a brotli page with bits behind its end is not copied: DuckDB refuses it", async () => {
  const file = fileOf((stream) => stream.with(-1, 0xff));
  for (const settings of Object.values(paths)) {
    const { result, output } = await mergeBytes([good, file], 2 * rows, { settings });
    assert.deepEqual(
      await rowsOfBytes(output),
      await rowsOfBytes(...result.merged.map(() => good)),
    );
  }
});
