/**
 * Builds the kernels: AssemblyScript in `assembly/` to wasm, inlined as base64 in `kernels.generated.ts`.
 * `deno run -A shared/parquet/kernels/build.ts` writes the module; a test builds it again and compares.
 */
import asc from "assemblyscript/asc";

const folder = new URL("./assembly/", import.meta.url);
const generated = new URL("./kernels.generated.ts", import.meta.url);

/** Pages of 64 KiB that the kernels' memory may ever have: 128 MiB. */
const maximumPages = 2048;

/** Compiles the kernels. Throws with the compiler's messages. */
export async function buildKernels(): Promise<Uint8Array> {
  let wasm: Uint8Array | undefined;
  let messages = "";
  const write = (text: string | Uint8Array) => {
    messages += typeof text === "string" ? text : new TextDecoder().decode(text);
    return true;
  };
  const { error } = await asc.main([
    "index.ts",
    "-O3",
    "--runtime",
    "stub",
    "--noAssert",
    "--maximumMemory",
    String(maximumPages),
    "--outFile",
    "kernels.wasm",
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
  return wasm;
}

/** The text of `kernels.generated.ts` for a compiled module. */
export function generatedModule(wasm: Uint8Array): string {
  let binary = "";
  for (const byte of wasm) binary += String.fromCharCode(byte);
  return `/** Made by build.ts from assembly/; do not edit. ${wasm.length} bytes of wasm as base64. */\n` +
    `export const kernelsBase64 =\n  "${btoa(binary)}";\n`;
}

if (import.meta.main) {
  const wasm = await buildKernels();
  await Deno.writeTextFile(generated, generatedModule(wasm));
  console.log(`kernels.generated.ts: ${wasm.length} bytes of wasm`);
}
