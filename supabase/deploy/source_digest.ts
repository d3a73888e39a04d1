/** What the sources of the functions hash to: which bundle a deployment has can be seen by it. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Twelve hexadecimal digits over every file below functions/ and shared/, and the pinned packages. */
export async function sourceDigest(): Promise<string> {
  const hash = createHash("sha256");
  const files = ["deno.json", "deno.lock"];
  for (const folder of ["functions", "shared"]) files.push(...await filesBelow(folder));
  for (const file of files.sort()) {
    hash.update(`${file}\0`).update(await Deno.readFile(join(root, file))).update("\0");
  }
  return hash.digest("hex").slice(0, 12);
}

async function filesBelow(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const entry of Deno.readDir(join(root, folder))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) files.push(...await filesBelow(path));
    else files.push(path);
  }
  return files;
}
