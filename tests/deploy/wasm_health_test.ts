import { strict as assert } from "node:assert";
import { createSupabaseStore } from "../../shared/storage/supabase_store.ts";
import { wasmKey, wasmModules } from "../../shared/wasm/wasm_modules.ts";
import { bundleFunction } from "../../supabase/deploy/bundle.ts";
import { sourceDigest } from "../../supabase/deploy/source_digest.ts";
import { deployWasm } from "../../supabase/deploy/wasm.ts";
import { startStack } from "../../supabase/local/stack.ts";
import { startIsolate } from "./start_isolate.ts";

Deno.test("a deployed function that lacks its wasm says so in its health until it is there, and which build it is", async () => {
  await using stack = await startStack({ functions: false, cron: false });
  const folder = await Deno.makeTempDir({ prefix: "sediment-health-" });
  try {
    await using isolate = await startIsolate({
      modules: [await bundleFunction("compaction", folder)],
      env: { ...stack.functionsEnv, SEDIMENT_DATABASE_URL: "" },
      edge: true,
      hosts: {},
    });
    const health = async () => await (await fetch(`${isolate.url}/compaction`)).json();
    const store = createSupabaseStore({ ...stack, bucket: "sediment" });
    const before = await health();
    assert.equal(before.status, "degraded");
    assert.deepEqual(
      before.reasons.map(({ code }: { code: string }) => code),
      ["wasm_missing", "wasm_missing"],
    );
    const isWell = async () => {
      const { status, reasons } = await health();
      assert.deepEqual([status, reasons], ["ok", undefined]);
    };
    await deployWasm(store);
    await isWell();
    // Once it was seen to be there it is not looked for again.
    await store.deleteMany([wasmKey(wasmModules.zstd)]);
    await isWell();

    const answer = await fetch(`${isolate.url}/compaction/nowhere`);
    await answer.body?.cancel();
    assert.equal(answer.headers.get("sediment-build"), await sourceDigest());
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
