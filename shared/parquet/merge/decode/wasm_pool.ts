import { ParquetWasm, type RewriteOptions } from "./wasm_instance.ts";
import type { WasmLoader } from "../../../wasm/pinned_module.ts";
import { parquetWasmModule } from "./parquet_wasm.ts";

/** An instance whose memory has grown past this is not used again, in bytes. */
const retireAt = 96 * 1024 * 1024;

/** Rewrites one file after another, in an instance that is replaced when it broke or grew. */
export class WasmPool {
  readonly #module: WebAssembly.Module;
  #instance: ParquetWasm | undefined;
  /** Instances made so far. */
  instances = 0;

  private constructor(module: WebAssembly.Module) {
    this.#module = module;
  }

  /** Loads and compiles parquet-wasm if that was not done before. */
  static async open(load?: WasmLoader): Promise<WasmPool> {
    return new WasmPool(await parquetWasmModule(load));
  }

  /** As {@link ParquetWasm.rewrite}. */
  rewrite(file: Uint8Array, options: RewriteOptions): Uint8Array {
    if (this.#instance === undefined) {
      this.#instance = new ParquetWasm(this.#module);
      this.instances++;
    }
    const instance = this.#instance;
    try {
      return instance.rewrite(file, options);
    } finally {
      if (instance.broken || instance.memoryBytes > retireAt) this.#instance = undefined;
    }
  }
}
