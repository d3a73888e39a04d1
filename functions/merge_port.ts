/** The merge as the compactor uses it: its wasm modules come from the store where there is no checkout. */
import type { Merge } from "../shared/compaction/run/ports.ts";
import { merge } from "../shared/parquet/merge/merge.ts";
import { wasmLoader, wasmModules } from "../shared/wasm/wasm_modules.ts";
import type { Services } from "./services.ts";

/** The merge core over the services' store. */
export function mergePort({ store }: Pick<Services, "store">): Merge {
  const wasm = wasmLoader(store, wasmModules.parquet);
  const zstd = wasmLoader(store, wasmModules.zstd);
  return (plan, readers, sink, options) => merge(plan, readers, sink, { ...options, wasm, zstd });
}
