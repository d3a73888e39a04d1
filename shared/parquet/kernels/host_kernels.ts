import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import { hostInflate } from "./codecs.ts";
import { type KernelLimits, Kernels } from "./kernels.ts";
import { kernelsBase64 } from "./kernels.generated.ts";
import type { Zstd } from "../../compression/zstd.ts";

let compiled: WebAssembly.Module | undefined;

/** All kernels, over node:zlib and zstd.wasm. */
export class HostKernels extends Kernels {
  readonly #unpacker: { zstd: Zstd | undefined };

  /** @param zstd needed when a chunk is compressed by it */
  constructor(limits: KernelLimits, zstd?: Zstd) {
    const unpacker = { zstd };
    // a loop over the text takes a millisecond of each cold process
    compiled ??= new WebAssembly.Module(Buffer.from(kernelsBase64, "base64"));
    super(compiled, limits, { crc32, inflate: hostInflate(() => unpacker.zstd) });
    this.#unpacker = unpacker;
  }

  /** Sets what decompresses zstd from now on. */
  useZstd(zstd: Zstd): void {
    this.#unpacker.zstd = zstd;
  }
}
