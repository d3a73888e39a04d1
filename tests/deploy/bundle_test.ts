import { strict as assert } from "node:assert";
import { bundleFunction, bundleLimit, functionNames } from "../../supabase/deploy/bundle.ts";

Deno.test("every function's bundle is one file below the limit, and names no npm package", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sediment-bundle-" });
  try {
    const names = await functionNames();
    assert.deepEqual(names, [
      "asset-sync",
      "battle-data",
      "compaction",
      "compactor",
      "dead-letter",
      "iceberg",
    ]);
    for (const name of names) {
      const bundle = await bundleFunction(name, folder);
      assert.ok(bundle.bytes < bundleLimit, `${name} has ${bundle.bytes} bytes`);
      const code = await Deno.readTextFile(bundle.path);
      const imports = [...code.matchAll(/(?:^|[;}])import[^"'()]*["']([^"']+)["']/g)].map((
        [, from],
      ) => from);
      assert.deepEqual(imports.filter((from) => !from!.startsWith("node:")), [], name);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
