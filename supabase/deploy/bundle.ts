/**
 * Bundles each edge function into one file with esbuild. A server-side bundle would hold every file of every
 * npm package in the graph (16.9 MB raw for hono + supabase-js + server + zod) and fails opaquely near 4 MB;
 * bundled here, a function is below 1 MB or so.
 *
 * Run as a program (`deno task bundle [--out DIR]`) it prints the sizes and fails when one is over the limit; with --out
 * it leaves the bundles as a self-hosted stack's functions folder wants them.
 */
import { build } from "esbuild";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { sourceDigest } from "./source_digest.ts";

/** The checkout's root folder. */
export const root = fileURLToPath(new URL("../../", import.meta.url));

/** Bytes that a function's bundle may have: well below the opaque failure near 4 MB. */
export const bundleLimit = 3.5 * 1024 * 1024;

/** A function's bundle on disk. */
export interface Bundle {
  /** The function's name, as in the URL. */
  name: string;
  /** Path of the one JavaScript file. */
  path: string;
  /** Its size in bytes. */
  bytes: number;
  /** The files that weigh most, for the one who must make it smaller. */
  heaviest: { path: string; bytes: number }[];
}

/** The deployed functions: every folder of functions/ with an index.ts. */
export async function functionNames(): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(join(root, "functions"))) {
    if (!entry.isDirectory) continue;
    const index = join(root, "functions", entry.name, "index.ts");
    if (await Deno.stat(index).then(() => true, () => false)) names.push(entry.name);
  }
  return names.sort();
}

/**
 * Bundles one function to `<folder>/<name>/index.js`.
 *
 * @throws what esbuild reports: an import that can't be resolved, a syntax error
 */
export async function bundleFunction(name: string, folder: string): Promise<Bundle> {
  const path = join(folder, name, "index.js");
  const { metafile } = await build({
    entryPoints: [join(root, "functions", name, "index.ts")],
    outfile: path,
    absWorkingDir: root,
    bundle: true,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["deno", "worker", "import", "default"],
    // Hosted isolates stay at the API level of Deno 2.1 (V8 13.0).
    target: "es2023",
    external: ["node:*"],
    plugins: [{
      // npm packages that name Node's modules without the prefix: Deno wants it.
      name: "node-builtins",
      setup(plugin) {
        const bare =
          /^(assert|buffer|crypto|events|fs|fs\/promises|http|https|module|net|os|path|perf_hooks|process|stream|string_decoder|timers|tls|url|util|worker_threads|zlib)$/;
        plugin.onResolve(
          { filter: bare },
          (args) => ({ path: `node:${args.path}`, external: true }),
        );
      },
    }],
    define: { SEDIMENT_BUILD: JSON.stringify(await sourceDigest()) },
    minify: true,
    keepNames: true,
    metafile: true,
    logLevel: "silent",
    legalComments: "none",
  });
  const [output] = Object.values(metafile.outputs);
  const heaviest = Object.entries(output.inputs)
    .map(([path, input]) => ({ path, bytes: input.bytesInOutput }))
    .sort((a, b) => b.bytes - a.bytes).slice(0, 5);
  return { name, path, bytes: output.bytes, heaviest };
}

/** Bundles all functions below a folder, prints a line a function, and says whether all are small enough. */
export async function bundleAll(folder: string): Promise<{ bundles: Bundle[]; fit: boolean }> {
  const bundles: Bundle[] = [];
  for (const name of await functionNames()) {
    const bundle = await bundleFunction(name, folder);
    bundles.push(bundle);
    console.log(`${name.padEnd(14)} ${megabytes(bundle.bytes)} of ${megabytes(bundleLimit)}`);
    if (bundle.bytes <= bundleLimit) continue;
    for (const { path, bytes } of bundle.heaviest) console.log(`  ${megabytes(bytes)} ${path}`);
  }
  return { bundles, fit: bundles.every((bundle) => bundle.bytes <= bundleLimit) };
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(2)} MB`;
}

if (import.meta.main) {
  const { values } = parseArgs({ args: Deno.args, options: { out: { type: "string" } } });
  const folder = values.out ?? await Deno.makeTempDir({ prefix: "sediment-bundle-" });
  try {
    const { bundles, fit } = await bundleAll(folder);
    // edge-runtime looks for index.ts, and would read minified JavaScript wrongly as TypeScript.
    for (const { path } of values.out === undefined ? [] : bundles) {
      await Deno.writeTextFile(path.replace(/js$/, "ts"), 'import "./index.js";\n');
    }
    if (!fit) console.error("a bundle is over the limit: hosted Supabase would refuse it");
    Deno.exitCode = fit ? 0 : 1;
  } finally {
    if (values.out === undefined) await Deno.remove(folder, { recursive: true });
  }
  Deno.exit();
}
