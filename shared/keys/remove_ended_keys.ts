/** Deletes in Auth the users of keys that have ended. Their rights went with the key; this is what is left of them. */
import type { Catalog } from "../catalog/catalog.ts";
import type { Clock } from "../clock.ts";
import { asSedimentError } from "../errors.ts";
import type { KeyUsers } from "./ports.ts";

/** What was done. */
export interface KeyReport {
  /** Users that Auth has no more. */
  removed: number;
  /** Keys whose users could not be deleted: they are handed out again later. */
  failed: { key_id: string; attempt: number; code: string; message: string }[];
  /** Whether there is more to do at once. */
  more: boolean;
}

/** Keys taken at a time. */
const sliceSize = 50;

/**
 * Goes on slice by slice. A user is deleted before the catalog hears of it, so a lost answer is a second deletion, which is
 * no error; one that fails keeps no other waiting.
 *
 * @throws SedimentError `catalog_failed`; what was deleted stays told, or is deleted again
 */
export async function removeEndedKeys(
  { catalog, keyUsers, clock }: {
    catalog: Pick<Catalog, "claimEndedKeys" | "finishEndedKey">;
    keyUsers: Pick<KeyUsers, "remove">;
    clock: Pick<Clock, "now">;
  },
  { seconds, signal }: { seconds: number; signal?: AbortSignal },
): Promise<KeyReport> {
  const end = clock.now() + seconds * 1000;
  const report: KeyReport = { removed: 0, failed: [], more: false };
  do {
    const { keys, more } = await catalog.claimEndedKeys({ limit: sliceSize });
    for (const { key_id, user_id, attempt } of keys) {
      if (signal?.aborted || clock.now() >= end) return { ...report, more: true };
      try {
        await keyUsers.remove(user_id);
      } catch (thrown) {
        const { code, message } = asSedimentError(thrown);
        report.failed.push({ key_id, attempt, code, message });
        continue;
      }
      await catalog.finishEndedKey({ key: key_id });
      report.removed++;
    }
    report.more = more;
  } while (report.more && clock.now() < end);
  return report;
}
