import { strict as assert } from "node:assert";
import { SedimentError } from "../../../shared/errors.ts";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import {
  ParquetWasm,
  type RewriteOptions,
} from "../../../shared/parquet/merge/decode/wasm_instance.ts";
import { withMemoryLimit } from "../../../shared/wasm/wasm_memory_limit.ts";
import { parquetWasmModule } from "../../../shared/parquet/merge/decode/parquet_wasm.ts";
import { WasmPool } from "../../../shared/parquet/merge/decode/wasm_pool.ts";
import { writeWithDuckDb } from "../sample_files.ts";

const options: RewriteOptions = {
  codec: "snappy",
  dictionary: true,
  pageBytes: 1 << 20,
  statistics: false,
};

Deno.test("an instance rewrites a file into one row group", async () => {
  const file = await writeWithDuckDb(
    "select i from range(5000) t(i)",
    "format parquet, row_group_size 2048",
  );
  assert.equal(footerOfBytes(file).metadata.rowGroups.length, 3);
  const output = new ParquetWasm(await parquetWasmModule()).rewrite(file, options);
  const { metadata } = footerOfBytes(output);
  assert.deepEqual(metadata.rowGroups.map((group) => group.numRows), [5000]);
});

Deno.test("an instance that failed is not used again, and the pool makes another", async () => {
  const file = await writeWithDuckDb("select 1 as a");
  const pool = await WasmPool.open();
  pool.rewrite(file, options);
  pool.rewrite(file, options);
  assert.equal(pool.instances, 1);
  assert.throws(() => pool.rewrite(file.subarray(5), options), SedimentError);
  pool.rewrite(file, options);
  assert.equal(pool.instances, 2);
  const instance = new ParquetWasm(await parquetWasmModule());
  assert.throws(() => instance.rewrite(new Uint8Array(20), options), SedimentError);
  assert.equal(instance.broken, true);
  assert.throws(() => instance.rewrite(file, options), /used again/);
});

Deno.test("an instance that grew is replaced", async () => {
  const large = await writeWithDuckDb("select hash(i) as h from range(4000000) t(i)");
  const small = await writeWithDuckDb("select 1 as a");
  const pool = await WasmPool.open();
  pool.rewrite(large, options);
  pool.rewrite(small, options);
  assert.equal(pool.instances, 2);
});

Deno.test("memory has a maximum, past which a call fails and the process goes on", async () => {
  const bytes = await Deno.readFile(
    new URL("../../../node_modules/parquet-wasm/esm/parquet_wasm_bg.wasm", import.meta.url),
  );
  const module = await WebAssembly.compile(withMemoryLimit(bytes, 12 * 1024 * 1024));
  const instance = new ParquetWasm(module);
  const file = await writeWithDuckDb("select hash(i) as h from range(1000000) t(i)");
  assert.throws(
    () => instance.rewrite(file, options),
    (error) => error instanceof SedimentError && error.code === "invalid_parquet",
  );
  assert.ok(instance.memoryBytes <= 12 * 1024 * 1024);
  assert.throws(() => withMemoryLimit(bytes, 65_536), /over the limit/);
  assert.throws(() => withMemoryLimit(new Uint8Array(8), 65_536), SedimentError);
});

Deno.test("bytes that aren't the pinned wasm are refused", async () => {
  // a module that was compiled before is kept, so this asks a fresh copy of the code
  const { parquetWasmModule: fresh } = await import(
    `../../../shared/parquet/merge/decode/parquet_wasm.ts?fresh=${crypto.randomUUID()}`
  );
  await assert.rejects(fresh(() => Promise.resolve(new Uint8Array(100))), /SHA-256/);
});
