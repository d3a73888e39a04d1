/** Kernels with the names of their functions in place of the ones that are shipped, for a profile to name them. */
import { kernelsBase64 } from "../../../shared/parquet/kernels/kernels.generated.ts";
import { buildKernels, kernelBuilds } from "../../../shared/parquet/kernels/build.ts";

/** Has the kernels compiled with names when they are opened from now on. */
export async function nameKernels(): Promise<void> {
  const named = await buildKernels(kernelBuilds[0], true);
  const length = Uint8Array.from(atob(kernelsBase64), (c) => c.charCodeAt(0)).length;
  const Module = WebAssembly.Module;
  WebAssembly.Module = class extends Module {
    constructor(bytes: BufferSource) {
      super(bytes.byteLength === length ? named as BufferSource : bytes);
    }
  };
}
