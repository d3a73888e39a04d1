/** Type declarations of the client's modules, as TypeScript writes them, for users whose TypeScript is not Deno's. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import ts from "typescript";
import { root } from "./entries.ts";

/**
 * Writes a `.d.ts` a module below `folder`, in the tree's own layout.
 *
 * @param modules paths below the root
 */
export async function writeDeclarations(modules: string[], folder: string): Promise<void> {
  const program = ts.createProgram(modules.map((module) => join(root, module)), {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ["lib.es2024.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
    types: [],
    strict: true,
    declaration: true,
    emitDeclarationOnly: true,
    allowImportingTsExtensions: true,
    // `deno check` checks; here the types are written down.
    noCheck: true,
    rootDir: root,
    outDir: folder,
  });
  const { emitSkipped } = program.emit();
  if (emitSkipped) throw new Error("TypeScript wrote no declarations");
  for (const name of await readdir(folder, { recursive: true })) {
    if (!name.endsWith(".d.ts")) continue;
    const path = join(folder, name);
    // A path that ends in .ts is an error (TS5097) to who has not allowed it; one in .js finds the .d.ts.
    const text = (await readFile(path, "utf8")).replaceAll(/("\.{1,2}\/[^"]+)\.ts"/g, '$1.js"');
    await writeFile(path, text);
  }
}
