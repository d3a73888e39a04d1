/** `sediment-client/medium` in browsers: an IndexedDB of that name. */
import { indexedDbMedium } from "../../shared/uploader/pending/media/indexeddb_medium.ts";
import type { PendingMedium } from "../../shared/uploader/pending/pending_medium.ts";

/** Opens a place to keep what can't be sent: a folder, or in a browser a database, of that name. */
export function openMedium(name: string): Promise<PendingMedium> {
  return indexedDbMedium({ name });
}
