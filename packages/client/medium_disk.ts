/** `sediment-client/medium` on Deno and Node: a folder of that name. */
import { diskMedium } from "../../shared/uploader/pending/media/disk_medium.ts";
import type { PendingMedium } from "../../shared/uploader/pending/pending_medium.ts";

/** Opens a place to keep what can't be sent: a folder, or in a browser a database, of that name. */
export function openMedium(name: string): Promise<PendingMedium> {
  return diskMedium(name);
}
