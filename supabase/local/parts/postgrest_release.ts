/** PostgREST from its GitHub release: the last resort, only for files whose hash is pinned here. */
import { createHash } from "node:crypto";
import { join } from "node:path";

export interface PinnedRelease {
  url: string;
  /** Of the archive. */
  sha256: string;
}

/**
 * Archives by platform. Only Linux x64 is here: a hash that nobody of us has seen in two independent places is
 * no pin. This one is in nixpkgs-style pins and CI scripts of several projects.
 */
export const pinnedReleases: Record<string, PinnedRelease> = {
  "linux-x64": {
    url:
      "https://github.com/PostgREST/postgrest/releases/download/v14.16/postgrest-v14.16-linux-static-x86-64.tar.xz",
    sha256: "36b8ae140f188cfcd6003494805bf35a41e895f88c12be9183d60f91782145c6",
  },
};

/**
 * Downloads a release once into the cache.
 *
 * @returns path of the program, or a sentence that says why not
 */
export async function downloadPostgrest(
  release: PinnedRelease,
  cacheDir: string,
): Promise<{ path: string } | { why: string }> {
  const folder = join(cacheDir, `postgrest-${release.sha256.slice(0, 16)}`);
  const path = join(folder, "postgrest");
  if (await Deno.stat(path).then(() => true, () => false)) return { path };
  let bytes: Uint8Array;
  try {
    const response = await fetch(release.url, { signal: AbortSignal.timeout(120_000) });
    bytes = await response.bytes();
    if (!response.ok) return { why: `${release.url} answered ${response.status}` };
  } catch (error) {
    return { why: `${release.url} could not be fetched: ${(error as Error).message}` };
  }
  const hash = createHash("sha256").update(bytes).digest("hex");
  if (hash !== release.sha256) {
    return { why: `${release.url} has SHA-256 ${hash}, not the pinned ${release.sha256}` };
  }
  await Deno.mkdir(cacheDir, { recursive: true });
  const draft = await Deno.makeTempDir({ dir: cacheDir, prefix: "building-" });
  try {
    const archive = join(draft, "archive.tar.xz");
    await Deno.writeFile(archive, bytes);
    const { success, stderr } = await new Deno.Command("tar", {
      args: ["-xJf", archive, "-C", draft, "--no-same-owner"],
    }).output();
    if (!success) return { why: `tar: ${new TextDecoder().decode(stderr).trim()}` };
    await Deno.remove(archive);
    await Deno.chmod(draft, 0o755);
    await Deno.rename(draft, folder).catch(() => {}); // another process was faster
  } finally {
    await Deno.remove(draft, { recursive: true }).catch(() => {});
  }
  return { path };
}
