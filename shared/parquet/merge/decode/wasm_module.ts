import { parquetWasmSha256 } from "../../../wasm/wasm_modules.ts";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { SedimentError } from "../../../errors.ts";
import { withMemoryLimit } from "../../../wasm/wasm_memory_limit.ts";

/** Memory that one instance may take, in bytes: of a hosted isolate's 256 MB. */
const maximumMemory = 192 * 1024 * 1024;

/** Gives the bytes of parquet_wasm_bg.wasm. */
export type WasmLoader = () => Promise<Uint8Array>;

let compiled: Promise<WebAssembly.Module> | undefined;

/**
 * The compiled module of parquet-wasm with a maximum memory; loaded once, when the decode path is first taken.
 * Throws `misconfigured` when the bytes aren't there or aren't the pinned ones.
 * @param load where the bytes come from; without it node_modules of the checkout
 */
export function parquetWasmModule(
  load: WasmLoader = loadFromNodeModules,
): Promise<WebAssembly.Module> {
  compiled ??= compile(load).catch((error) => {
    compiled = undefined;
    throw error;
  });
  return compiled;
}

async function compile(load: WasmLoader): Promise<WebAssembly.Module> {
  const bytes = await load();
  const digest = createHash("sha256").update(bytes).digest("hex");
  if (digest !== parquetWasmSha256) {
    throw new SedimentError(
      "misconfigured",
      `the bytes of parquet_wasm_bg.wasm have the SHA-256 ${digest}`,
      { expected: parquetWasmSha256 },
    );
  }
  return await WebAssembly.compile(withMemoryLimit(bytes, maximumMemory));
}

async function loadFromNodeModules(): Promise<Uint8Array> {
  const place = new URL(
    "../../../../node_modules/parquet-wasm/esm/parquet_wasm_bg.wasm",
    import.meta.url,
  );
  try {
    return await readFile(place);
  } catch (cause) {
    throw new SedimentError("misconfigured", "parquet_wasm_bg.wasm is not in node_modules", {
      expected: "node_modules beside deno.json, or a loader that fetches the bytes",
      cause,
    });
  }
}
