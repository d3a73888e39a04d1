/** The SHA-256 of a file, and whether a pulled file is as it was pulled. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { PulledFile } from "./pull_state.ts";

/** Lower-case hex. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path)) hash.update(piece as Uint8Array);
  return hash.digest("hex");
}

/**
 * How a pulled file is now.
 *
 * @param closely by its hash in any case; else a file of the same size and time counts as the same
 */
export async function lookAt(
  folder: string,
  file: PulledFile,
  closely: boolean,
): Promise<"same" | "changed" | "gone"> {
  const path = join(folder, file.path);
  const found = await lstat(path).catch((error) => {
    // A folder in its way that is a file now: it is not there either.
    if (["ENOENT", "ENOTDIR"].includes((error as { code?: string }).code ?? "")) return null;
    throw error;
  });
  if (found === null) return "gone";
  // Through a link it is a file of some other folder.
  for (const below of [dirname(path), dirname(dirname(path))]) {
    if (!(await lstat(below)).isDirectory()) return "changed";
  }
  if (!found.isFile() || found.size !== file.size) return "changed";
  if (!closely && found.mtimeMs === file.modified_ms) return "same";
  return await hashFile(path) === file.sha256 ? "same" : "changed";
}
