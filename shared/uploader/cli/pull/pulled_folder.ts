/** A pulled folder as such: one pull at a time in it, and none through links. */
import { lstat, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { SedimentError } from "../../../errors.ts";
import { systemClock } from "../../../clock.ts";
import { FolderLocks } from "../../pending/media/folder_lock.ts";
import { nodeFileSystem } from "../../pending/media/node_file_system.ts";
import { isOwnerAlive, newOwner } from "../../pending/media/owner.ts";

/**
 * Runs an action as the only one in the folder, which is made where it isn't there.
 *
 * @throws `invalid_config` while another pull is at work in it
 */
export async function inFolder<T>(folder: string, action: () => Promise<T>): Promise<T> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, ".sediment", "locks");
  for (const below of ["", "incoming", "locks"]) await makeFolder(join(folder, ".sediment", below));
  const owner = newOwner();
  const parts = { fs: nodeFileSystem, clock: systemClock, path, owner, isAlive: isOwnerAlive };
  const locks = new FolderLocks(parts);
  const lock = await locks.acquire("pull", { wait: false });
  if (!lock) throw refused(folder, "another pull is at work in it");
  try {
    return await action();
  } finally {
    await lock.release();
    await locks.close();
  }
}

/** Where a file of this path waits for the switch to its version. */
export function incoming(folder: string, path: string): string {
  return join(folder, ".sediment", "incoming", path.replaceAll("/", "."));
}

/** Whether anything is in a path's place. */
export async function isThere(folder: string, path: string): Promise<"gone" | "foreign"> {
  return await lstat(join(folder, path)).then(() => "foreign" as const, () => "gone" as const);
}

/** Makes a folder where there is none. @throws `invalid_config` for what {@link refuseLink} refuses */
export async function makeFolder(path: string): Promise<void> {
  await mkdir(path).catch((error) => {
    if (error.code !== "EEXIST") throw error;
  });
  await refuseLink(path);
}

/**
 * A link in a folder's place would lead what is written, and what is removed, out of what was named.
 *
 * @throws `invalid_config` when something else than a folder is there
 */
export async function refuseLink(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (found && !found.isDirectory()) throw refused(path, "it is a link, or no folder");
}

/** The refusal of a folder, with the reason. */
export function refused(folder: string, why: string): SedimentError {
  return new SedimentError("invalid_config", `${folder} can't be pulled into: ${why}`, {
    field: "out",
    expected: "a folder of its own for each dataset",
  });
}
