/** The pending folder on this machine's disk: for Deno and Node. Browsers take `indexeddb_medium.ts`. */
import { SedimentError } from "../../../errors.ts";
import { systemClock } from "../../../clock.ts";
import { systemCode } from "./file_system.ts";
import { openFolderMedium } from "./folder_medium.ts";
import { nodeFileSystem } from "./node_file_system.ts";
import { isOwnerAlive, newOwner } from "./owner.ts";
import type { PendingMedium } from "../pending_medium.ts";

/**
 * Opens (and makes, where it isn't there) a pending folder.
 *
 * @throws `pending_unusable` when it can't be made or written
 */
export async function diskMedium(path: string): Promise<PendingMedium> {
  try {
    return await openFolderMedium({
      path,
      fs: nodeFileSystem,
      clock: systemClock,
      owner: newOwner(),
      isAlive: isOwnerAlive,
    });
  } catch (error) {
    throw new SedimentError("pending_unusable", `${path}: ${(error as Error).message}`, {
      field: "pending.directory",
      expected: `a folder that this user may write (${systemCode(error) || "unknown error"})`,
      cause: error,
    });
  }
}
