import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import { hostInflate } from "./codecs.ts";
import { type KernelLimits, Kernels } from "./kernels.ts";
import { kernelsBase64 } from "./kernels.generated.ts";

let compiled: WebAssembly.Module | undefined;

/** All kernels, over node:zlib. */
export class HostKernels extends Kernels {
  constructor(limits: KernelLimits) {
    // a loop over the text takes a millisecond of each cold process
    compiled ??= new WebAssembly.Module(Buffer.from(kernelsBase64, "base64"));
    super(compiled, limits, { crc32, inflate: hostInflate() });
  }
}
