/**
 * `deno task packages`: the client and the command line as npm packages in dist/, with their tarballs. They
 * have names that no registry knows and are private: who installs them installs the tarball.
 */
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { version } from "../shared/uploader/version.ts";
import { writeDeclarations } from "./declarations.ts";
import { clientDependencies, entries, readerDependencies, root } from "./entries.ts";
import { optionalArrow } from "./optional_arrow.ts";
import { pageModule, writePageModule } from "./page_module.ts";
import { slim } from "./slim.ts";

/** Most bytes of the command line's one file. */
export const cliLimit = 500_000;

/** A package that was built. */
export interface Package {
  folder: string;
  /** Path of the tarball. */
  tarball: string;
}

const common = {
  version,
  private: true,
  type: "module",
  license: "MIT",
  engines: { node: ">=22" },
};

/** Builds both. @param dist where to; emptied first */
export async function buildPackages(dist: string): Promise<{ client: Package; cli: Package }> {
  await rm(dist, { recursive: true, force: true });
  const client = await buildClient(join(dist, "client"));
  const cli = await buildCli(join(dist, "cli"));
  return { client: await pack(client), cli: await pack(cli) };
}

async function buildClient(folder: string): Promise<string> {
  const external = [...clientDependencies, ...readerDependencies];
  const modules = entries.flatMap(({ module, browser }) => [module, browser ?? []].flat());
  await build({
    entryPoints: modules.map((module) => join(root, module)),
    outdir: folder,
    absWorkingDir: root,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "neutral",
    target: "es2022",
    external: ["node:*", ...external.flatMap((name) => [name, `${name}/*`])],
    plugins: [slim],
    chunkNames: "chunks/[hash]",
    logLevel: "error",
  });
  await writeDeclarations(modules, join(folder, "types"));
  const file = (module: string) => `./${module.split("/").at(-1)!.replace(/\.ts$/, ".js")}`;
  const exports = Object.fromEntries(entries.map(({ name, module, browser }) => [`./${name}`, {
    types: `./types/${module.replace(/\.ts$/, ".d.ts")}`,
    ...(browser ? { browser: file(browser) } : {}),
    default: file(module),
  }]));
  await finish(folder, {
    name: "sediment-client",
    description: "Uploads that are never lost and never doubled, to a Sediment service",
    ...common,
    sideEffects: false,
    exports,
    dependencies: await versionsOf(clientDependencies),
    peerDependencies: await versionsOf(readerDependencies),
    peerDependenciesMeta: Object.fromEntries(
      readerDependencies.map((name) => [name, { optional: true }]),
    ),
  });
  return folder;
}

async function buildCli(folder: string): Promise<string> {
  const path = join(folder, "sediment.mjs");
  await build({
    entryPoints: [join(root, "shared/uploader/cli/main.ts")],
    outfile: path,
    absWorkingDir: root,
    bundle: true,
    format: "esm",
    platform: "node",
    // modules first: of CommonJS, which esbuild prefers for Node, it leaves nothing out
    mainFields: ["module", "main"],
    target: "node22",
    minify: true,
    legalComments: "none",
    plugins: [slim, optionalArrow, pageModule],
    banner: {
      js: "#!/usr/bin/env node\n" +
        'import{createRequire as __require}from"node:module";const require=__require(import.meta.url);',
    },
    logLevel: "error",
  });
  await writePageModule(folder);
  const { size } = await Deno.stat(path);
  if (size > cliLimit) {
    throw new Error(`the command line has ${size} bytes, of at most ${cliLimit}`);
  }
  await Deno.chmod(path, 0o755);
  await finish(folder, {
    name: "sediment-cli",
    description: "The command line of Sediment",
    ...common,
    bin: { sediment: "./sediment.mjs" },
    optionalDependencies: await versionsOf(readerDependencies),
  });
  return folder;
}

async function finish(folder: string, manifest: Record<string, unknown>): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest, null, 2) + "\n");
  await cp(join(root, "LICENSE"), join(folder, "LICENSE"));
  for (const [from, to] of [["CHANGELOG.md", "CHANGELOG.md"], ["docs/client.md", "README.md"]]) {
    // Links to pages of the checkout lead nowhere from here.
    const text = (await readFile(join(root, from), "utf8"))
      .replaceAll(/\[([^\]]+)\]\((?!https?:)[^)]+\)/g, "$1");
    await writeFile(join(folder, to), text);
  }
}

/** Versions as the checkout pins them. */
async function versionsOf(names: string[]): Promise<Record<string, string>> {
  const { imports } = JSON.parse(await readFile(join(root, "deno.json"), "utf8"));
  return Object.fromEntries(names.map((name) => [name, imports[name].split("@").at(-1)]));
}

async function pack(folder: string): Promise<Package> {
  const { code, stdout, stderr } = await new Deno.Command("npm", {
    args: ["pack", "--json", "--pack-destination", ".."],
    cwd: folder,
  }).output();
  const text = new TextDecoder();
  if (code !== 0) throw new Error(`npm pack: ${text.decode(stderr)}`);
  const [{ filename }] = JSON.parse(text.decode(stdout));
  return { folder, tarball: join(folder, "..", filename) };
}

if (import.meta.main) {
  for (const { tarball } of Object.values(await buildPackages(join(root, "dist")))) {
    const { size } = await Deno.stat(tarball);
    console.log(`${tarball}  ${(size / 1000).toFixed(1)} KB`);
  }
  const { size } = await Deno.stat(join(root, "dist/cli/sediment.mjs"));
  console.log(`the command line is one file of ${(size / 1000).toFixed(1)} KB`);
  Deno.exit(); // esbuild's child
}
