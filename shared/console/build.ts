/** `deno task console`: the console's page as one module of text, `page_assets.ts`. A test compares it. */
import { readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Most bytes of all files together but the lazy one, compressed. */
export const mostBytes = 150_000;

const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sediment</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/console/console.css">
</head>
<body>
<div id="root"></div>
<noscript>The console needs JavaScript.</noscript>
<script type="module" src="/console/console.js"></script>
</body>
</html>
`;

/** The page's styles in their order: what comes later holds. */
const styles = [
  "colours",
  "base",
  "shell",
  "parts",
  "controls",
  "table",
  "troubles",
  "charts",
  "settings",
];

/** What the page loads when somebody wants to see rows, and not before: as large as all the rest. */
export const lazyFile = "rows_reader.js";

/** The page's files by name, as browsers get them. */
export async function buildPage(): Promise<Record<string, string>> {
  const { outputFiles } = await esbuild.build({
    entryPoints: [at("page/main.tsx")],
    jsx: "automatic",
    jsxImportSource: "preact",
    absWorkingDir: at("../../"),
    bundle: true,
    splitting: true,
    outdir: at("./"),
    entryNames: "console",
    chunkNames: "[name]",
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    legalComments: "none",
    write: false,
    logLevel: "error",
  });
  const parts = await Promise.all([
    readFile(at("../../node_modules/uplot/dist/uPlot.min.css"), "utf8"),
    ...styles.map((name) => readFile(at(`page/styles/${name}.css`), "utf8")),
  ]);
  const { code } = await esbuild.transform(parts.join(""), {
    loader: "css",
    minify: true,
    legalComments: "none",
  });
  await esbuild.stop();
  const scripts = outputFiles.map(({ path, text }) => [basename(path), text] as const);
  const names = scripts.map(([name]) => name).sort();
  // chunk.js: what both scripts share
  if (names.join() !== `chunk.js,console.js,${lazyFile}`) {
    throw new Error(`the page has ${names.join()}`);
  }
  return { "index.html": html, ...Object.fromEntries(scripts), "console.css": code };
}

/** The module's text, and how many bytes its files have, without the lazy one's. */
export async function assetsModule(): Promise<{ text: string; bytes: number }> {
  let bytes = 0;
  const entries = Object.entries(await buildPage()).map(([name, text]) => {
    const packed = gzipSync(text, { level: 9 });
    // the byte that names the system that packed it
    packed[9] = 255;
    if (name !== lazyFile) bytes += packed.length;
    return `  "${name}":\n    "${packed.toString("base64")}",\n`;
  });
  if (bytes > mostBytes) throw new Error(`the page has ${bytes} bytes, of at most ${mostBytes}`);
  const text =
    `// Generated from page/ by \`deno task console\`; not to be edited. Files in gzip, as base64.
export const pageAssets = {
${entries.join("")}} as const;
`;
  return { text, bytes };
}

if (import.meta.main) {
  const { text, bytes } = await assetsModule();
  await writeFile(at("page_assets.ts"), text);
  console.log(`the console: ${(bytes / 1000).toFixed(1)} KB in gzip`);
}
