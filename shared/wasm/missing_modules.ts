/** Which of the pinned modules a function would look for in vain. */
import type { ObjectStore } from "../storage/object_store.ts";
import { readWasmModule, wasmKey, wasmModules } from "./wasm_modules.ts";

/** Stores that were seen to have them all; nothing but a later release takes them away. */
const complete = new WeakSet<object>();

/**
 * The keys of the modules that are neither in a checkout nor in the store. Asks the store until it has them all.
 *
 * @throws what the store throws
 */
export async function missingModules(store: Pick<ObjectStore, "head">): Promise<string[]> {
  if (complete.has(store)) return [];
  const missing: string[] = [];
  for (const module of Object.values(wasmModules)) {
    if (await readWasmModule(module) !== null) continue;
    if (await store.head(wasmKey(module)) === null) missing.push(wasmKey(module));
  }
  if (missing.length === 0) complete.add(store);
  return missing;
}
