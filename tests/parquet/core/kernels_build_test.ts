import { strict as assert } from "node:assert";
import {
  buildKernels,
  generatedModule,
  kernelBuilds,
} from "../../../shared/parquet/kernels/build.ts";

const folder = new URL("../../../shared/parquet/kernels/", import.meta.url);

for (const build of kernelBuilds) {
  Deno.test(`${build.generated} is what its sources compile to`, async () => {
    assert.equal(
      await Deno.readTextFile(new URL(build.generated, folder)),
      generatedModule(await buildKernels(build)),
      "run: deno run -A shared/parquet/kernels/build.ts",
    );
  });

  Deno.test(`the memory of ${build.generated} has a maximum`, async () => {
    const { kernelsBase64 } = await import(new URL(build.generated, folder).href);
    const bytes = Uint8Array.from(atob(kernelsBase64), (c) => c.charCodeAt(0));
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      host: { crc32: () => 0, inflate: () => 0 },
    });
    const memory = exports.memory as WebAssembly.Memory;
    assert.throws(() => memory.grow(build.maximumPages), RangeError);
  });
}
