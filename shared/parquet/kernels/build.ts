/**
 * Builds the kernels: AssemblyScript in `assembly/` to wasm, inlined as base64 in `kernels.generated.ts`, and those
 * that only read in `reader_kernels.generated.ts`.
 * `deno run -A shared/parquet/kernels/build.ts` writes the modules; a test builds them again and compares.
 */
import asc from "assemblyscript/asc";
import { keepCalls } from "./keep_calls.ts";

const folder = new URL("./assembly/", import.meta.url);

/** What is built. */
export interface KernelBuild {
  /** The file of exports in assembly/. */
  entry: string;
  /** The module that is written beside this file. */
  generated: string;
  /** Pages of 64 KiB that the memory may ever have. */
  maximumPages: number;
  /** Whether engines are kept from inlining functions (keep_calls.ts): for those that a cold process runs. */
  keepsCalls: boolean;
}

/** The kernels of merges and checks in 128 MiB; a reader has no isolate to fit, and may be given up to 1 GiB. */
export const kernelBuilds: KernelBuild[] = [
  { entry: "index.ts", generated: "kernels.generated.ts", maximumPages: 2_048, keepsCalls: true },
  {
    entry: "reader.ts",
    generated: "reader_kernels.generated.ts",
    maximumPages: 16_384,
    keepsCalls: false,
  },
];

/** Compiles kernels, with the names of functions where they are asked for. Throws with the compiler's messages. */
export async function buildKernels(
  { entry, maximumPages, keepsCalls }: KernelBuild,
  names = false,
): Promise<Uint8Array> {
  let wasm: Uint8Array | undefined;
  let messages = "";
  const write = (text: string | Uint8Array) => {
    messages += typeof text === "string" ? text : new TextDecoder().decode(text);
    return true;
  };
  const { error } = await asc.main([
    entry,
    "-O3",
    "--runtime",
    "stub",
    "--noAssert",
    "--maximumMemory",
    String(maximumPages),
    "--outFile",
    "kernels.wasm",
    ...(keepsCalls ? [] : ["--use", "READS_ONLY=1"]),
    ...(names ? ["--debug"] : []),
  ], {
    readFile: (name: string) => {
      try {
        return Deno.readTextFileSync(new URL(name, folder));
      } catch {
        return null;
      }
    },
    writeFile: (name: string, contents: string | Uint8Array) => {
      if (name === "kernels.wasm") wasm = contents as Uint8Array;
    },
    listFiles: () => [],
    stdout: { write },
    stderr: { write },
  });
  if (error || wasm === undefined) {
    throw new Error(`asc failed: ${error?.message}\n${messages}`, { cause: error });
  }
  return keepsCalls ? keepCalls(wasm) : wasm;
}

/** The text of a generated file for a compiled module. */
export function generatedModule(wasm: Uint8Array): string {
  let binary = "";
  for (const byte of wasm) binary += String.fromCharCode(byte);
  return `/** Made by build.ts from assembly/; do not edit. ${wasm.length} bytes of wasm as base64. */\n` +
    `export const kernelsBase64 =\n  "${btoa(binary)}";\n`;
}

if (import.meta.main) {
  for (const build of kernelBuilds) {
    const wasm = await buildKernels(build);
    await Deno.writeTextFile(new URL(build.generated, import.meta.url), generatedModule(wasm));
    console.log(`${build.generated}: ${wasm.length} bytes of wasm`);
  }
}
