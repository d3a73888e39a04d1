/**
 * The wasm modules that are too large for a function's bundle and are kept in the object store instead:
 * parquet-wasm (4.95 MB, loaded only when the decode path is taken) and zstd (0.25 MB). Their keys hold the
 * SHA-256 that the loading code pins, so an old function and a new one never disturb each other.
 */
import { readFile } from "node:fs/promises";
import { asSedimentError, SedimentError } from "../errors.ts";
import type { ObjectStore } from "../storage/object_store.ts";

/** A module: where it is in node_modules, and what it hashes to. */
export interface WasmModuleFile {
  name: string;
  /** In hex; the code relies on the names that are minified in these very bytes. */
  sha256: string;
  /** Path below node_modules. */
  path: string;
}

/** Every module of which the functions may need the bytes. */
export const wasmModules = {
  /** Of parquet-wasm 0.8.0. */
  parquet: {
    name: "parquet_wasm_bg",
    sha256: "7636a31df453d8c73aacbed5ae9fd262a71136258f420fa0d97016b8da9e8aa1",
    path: "parquet-wasm/esm/parquet_wasm_bg.wasm",
  },
  /** Of @bokuweb/zstd-wasm 0.0.27. */
  zstd: {
    name: "zstd",
    sha256: "80260eee5795ee8072bb5821e203730c74dca3909938f5ac1128da67f96223df",
    path: "@bokuweb/zstd-wasm/dist/esm/zstd.wasm",
  },
} as const satisfies Record<string, WasmModuleFile>;

/**
 * The modules of the release before, which a deployment keeps for as long: whoever changes a hash above puts the old
 * one here, and takes out what was here.
 */
export const previousWasmModules: readonly WasmModuleFile[] = [];

/** The prefix of the modules' keys; no catalog row names them, and the store check leaves them out. */
export const wasmPrefix = "system/wasm/";

/** The key at which `deno task deploy:wasm` puts a module. */
export function wasmKey({ name, sha256 }: WasmModuleFile): string {
  return `${wasmPrefix}${name}-${sha256}.wasm`;
}

/** The bytes of a module in the checkout's node_modules, or null where there is none (a deployed function). */
export async function readWasmModule({ path }: WasmModuleFile): Promise<Uint8Array | null> {
  try {
    return await readFile(new URL(`../../node_modules/${path}`, import.meta.url));
  } catch {
    return null;
  }
}

/**
 * A loader of one module: from node_modules where the code runs in a checkout, else from the store. The caller
 * checks the hash.
 *
 * @throws (from the loader) `misconfigured` when the store hasn't got it, what the store throws otherwise
 */
export function wasmLoader(
  store: Pick<ObjectStore, "get">,
  module: WasmModuleFile,
): () => Promise<Uint8Array> {
  return async () => {
    const local = await readWasmModule(module);
    if (local !== null) return local;
    const key = wasmKey(module);
    try {
      return await store.get(key);
    } catch (thrown) {
      if (asSedimentError(thrown).code !== "object_missing") throw thrown;
      throw new SedimentError("misconfigured", `${key} is not in the object store`, {
        expected: "`deno task deploy:wasm` to have put it there",
        cause: thrown,
      });
    }
  };
}
