import { strict as assert } from "node:assert";
import { SedimentError } from "../../shared/errors.ts";
import { createMemoryStore } from "../support/memory_store.ts";
import { wasmKey, wasmLoader, wasmModules } from "../../shared/wasm/wasm_modules.ts";
import { absentWasm, deployWasm, removeOldWasm } from "../../supabase/deploy/wasm.ts";

Deno.test("deploy:wasm puts every module once, under its pinned hash", async () => {
  const store = createMemoryStore();
  const first = await deployWasm(store);
  assert.deepEqual(first.map(({ put }) => put), [true, true]);
  const second = await deployWasm(store);
  assert.deepEqual(second.map(({ put }) => put), [false, false]);
  assert.deepEqual(
    [...store.objects.keys()].sort(),
    Object.values(wasmModules).map(wasmKey).sort(),
  );
});

Deno.test("where node_modules has no module, it comes from the store, and its absence says what to run", async () => {
  const store = createMemoryStore();
  const elsewhere = { ...wasmModules.zstd, path: "nowhere/zstd.wasm" };
  await assert.rejects(wasmLoader(store, elsewhere)(), (error: unknown) => {
    assert.ok(error instanceof SedimentError);
    assert.equal(error.code, "misconfigured");
    assert.match(error.expected ?? "", /deploy:wasm/);
    return true;
  });
  await deployWasm(store);
  const bytes = await wasmLoader(store, elsewhere)();
  assert.deepEqual([...bytes.subarray(0, 4)], [0, 0x61, 0x73, 0x6d]); // "\0asm"
});

Deno.test("modules stay for the release after theirs, and go with the next", async () => {
  const store = createMemoryStore();
  const last = { name: "zstd", sha256: "1".repeat(64), path: "" };
  const older = { name: "zstd", sha256: "2".repeat(64), path: "" };
  for (const module of [last, older]) await store.put(wasmKey(module), new Uint8Array(1));
  assert.deepEqual(await absentWasm(store), Object.values(wasmModules).map(wasmKey));
  await deployWasm(store);
  assert.deepEqual(await absentWasm(store), []);
  assert.deepEqual(await removeOldWasm(store, [last]), [wasmKey(older)]);
  assert.deepEqual(
    [...store.objects.keys()].sort(),
    [last, ...Object.values(wasmModules)].map(wasmKey).sort(),
  );
  assert.deepEqual(await removeOldWasm(store, []), [wasmKey(last)]);
});
