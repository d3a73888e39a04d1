import { strict as assert } from "node:assert";
import { buildKernels, generatedModule } from "../../../shared/parquet/kernels/build.ts";
import { kernelsBase64 } from "../../../shared/parquet/kernels/kernels.generated.ts";

Deno.test("the generated kernels are what their sources compile to", async () => {
  const built = generatedModule(await buildKernels());
  assert.ok(
    built.includes(`"${kernelsBase64}"`),
    "run: deno run -A shared/parquet/kernels/build.ts",
  );
});

Deno.test("the kernels' memory has a maximum", () => {
  const bytes = Uint8Array.from(atob(kernelsBase64), (c) => c.charCodeAt(0));
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
    host: { crc32: () => 0, inflate: () => 0 },
  });
  const memory = exports.memory as WebAssembly.Memory;
  assert.throws(() => memory.grow(2048), RangeError);
});
