/** The one way from a wasm module's bytes to a compiled module: pinned by its hash, of bounded memory, compiled once. */
import { createHash } from "node:crypto";
import { SedimentError } from "../errors.ts";
import { withMemoryLimit } from "./wasm_memory_limit.ts";
import { readWasmModule, type WasmModuleFile } from "./wasm_modules.ts";

/** Gives the bytes of a module. */
export type WasmLoader = () => Promise<Uint8Array>;

/** Gives the compiled module; a call that fails is made anew by the next. */
export type PinnedModule = (load?: WasmLoader) => Promise<WebAssembly.Module>;

/**
 * A module that is loaded and compiled when it is first asked for.
 *
 * @param maximumMemory bytes of memory that an instance may take
 * @returns its `load` says where the bytes come from; without it they are those of the checkout's node_modules. It
 *   throws `misconfigured` when they aren't there or aren't the pinned ones
 */
export function pinnedModule(file: WasmModuleFile, maximumMemory: number): PinnedModule {
  let compiled: Promise<WebAssembly.Module> | undefined;
  return (load = () => loadFromNodeModules(file)) => {
    compiled ??= compile(file, maximumMemory, load).catch((error) => {
      compiled = undefined;
      throw error;
    });
    return compiled;
  };
}

async function compile(
  file: WasmModuleFile,
  maximumMemory: number,
  load: WasmLoader,
): Promise<WebAssembly.Module> {
  const bytes = await load();
  const digest = createHash("sha256").update(bytes).digest("hex");
  if (digest !== file.sha256) {
    throw new SedimentError(
      "misconfigured",
      `the bytes of ${file.name}.wasm have the SHA-256 ${digest}`,
      { expected: file.sha256 },
    );
  }
  return await WebAssembly.compile(withMemoryLimit(bytes, maximumMemory));
}

async function loadFromNodeModules(file: WasmModuleFile): Promise<Uint8Array> {
  const bytes = await readWasmModule(file);
  if (bytes !== null) return bytes;
  throw new SedimentError("misconfigured", `${file.name}.wasm is not in node_modules`, {
    expected: "node_modules beside deno.json, or a loader that fetches the bytes",
  });
}
