/**
 * `deno task deploy:wasm`: puts the wasm modules, which no bundle can hold, into the deployment's object store.
 * Reads the same environment as the functions (SUPABASE_URL, SUPABASE_SECRET_KEY, or the SEDIMENT_S3_ ones).
 */
import { createHash } from "node:crypto";
import { createServices } from "../../functions/create_services.ts";
import { asSedimentError } from "../../shared/errors.ts";
import type { ObjectStore } from "../../shared/storage/object_store.ts";
import {
  previousWasmModules,
  readWasmModule,
  wasmKey,
  type WasmModuleFile,
  wasmModules,
  wasmPrefix,
} from "../../shared/wasm/wasm_modules.ts";

/**
 * Puts each module that the store hasn't got.
 *
 * @returns the keys, and whether each was put now
 * @throws when a module of node_modules isn't the pinned one; what the store throws
 */
export async function deployWasm(store: ObjectStore): Promise<{ key: string; put: boolean }[]> {
  const outcome: { key: string; put: boolean }[] = [];
  for (const module of Object.values(wasmModules)) {
    const key = wasmKey(module);
    const bytes = await readWasmModule(module);
    const found = await store.head(key);
    if (bytes === null) throw new Error(`${module.path} is not in node_modules: deno install`);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    if (sha256 !== module.sha256) {
      throw new Error(`${module.path} hashes to ${sha256}, the code pins ${module.sha256}`);
    }
    // The key names the hash: an object of the right size there is the right one.
    const put = found?.size !== bytes.byteLength;
    if (put) await store.put(key, bytes, { contentType: "application/wasm", upsert: true });
    outcome.push({ key, put });
  }
  return outcome;
}

/** The keys of this release's modules that the store hasn't got. */
export async function absentWasm(store: Pick<ObjectStore, "head">): Promise<string[]> {
  const absent: string[] = [];
  for (const module of Object.values(wasmModules)) {
    const key = wasmKey(module);
    if (await store.head(key) === null) absent.push(key);
  }
  return absent;
}

/**
 * Removes the modules of releases before the last one; those of the last one stay, since its isolates may still run, and
 * one may want to go back to it.
 *
 * @returns the keys that are gone
 */
export async function removeOldWasm(
  store: Pick<ObjectStore, "list" | "deleteMany">,
  previous: readonly WasmModuleFile[] = previousWasmModules,
): Promise<string[]> {
  const kept = new Set([...Object.values(wasmModules), ...previous].map(wasmKey));
  const { objects } = await store.list(wasmPrefix);
  const old = objects.map(({ key }) => key).filter((key) => !kept.has(key));
  if (old.length > 0) await store.deleteMany(old);
  return old;
}

if (import.meta.main) {
  try {
    const { store } = createServices(Deno.env.toObject());
    for (const { key, put } of await deployWasm(store)) {
      console.log(`${put ? "put     " : "is there"} ${key}`);
    }
  } catch (thrown) {
    console.error(`deploy:wasm: ${asSedimentError(thrown).message}`);
    Deno.exit(1);
  }
}
