import { pinnedModule } from "../../../wasm/pinned_module.ts";
import { wasmModules } from "../../../wasm/wasm_modules.ts";

/** Memory that one instance may take, in bytes: of a hosted isolate's 256 MB. */
const maximumMemory = 192 * 1024 * 1024;

/** The compiled module of parquet-wasm; loaded when the decode path is first taken. */
export const parquetWasmModule = pinnedModule(wasmModules.parquet, maximumMemory);
