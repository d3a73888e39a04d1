/** Room for one more item: found, made by dropping where that is the setting, or refused. */
import { SedimentError } from "../../errors.ts";
import type { PendingMedium } from "./pending_medium.ts";
import { ms, type PendingItem, readRecord } from "./pending_record.ts";
import type { UploaderSettings } from "../settings/settings.ts";
import type { Usage } from "./usage.ts";

/** What making room needs. */
export interface EvictParts {
  medium: PendingMedium;
  usage: Usage;
  quota: UploaderSettings["pending"];
  /** Removes an item for good, and says so. */
  drop(item: PendingItem): Promise<void>;
}

/**
 * Sees to it that an item of `size` bytes fits. Under the lock.
 *
 * @param forId the item itself, should an expired one be there: it is replaced, not dropped
 * @returns ids of the items that were dropped for it
 * @throws `pending_full`
 */
export async function evict(size: number, forId: string, parts: EvictParts): Promise<string[]> {
  const { usage, quota } = parts;
  if (usage.fits(size)) return [];
  // Other processes may have sent or dropped what we still count.
  const items = await others(forId, parts.medium);
  usage.reset(items);
  if (usage.fits(size)) return [];
  const dropped: string[] = [];
  if (quota.when_full === "drop_oldest" && size <= quota.quota_bytes) {
    for (const item of inOrderOfDropping(items)) {
      await parts.drop(item);
      dropped.push(item.id);
      if (usage.fits(size)) return dropped;
    }
  }
  throw new SedimentError(
    "pending_full",
    `${usage.items} items with ${usage.bytes} bytes are pending; ${size} more don't fit`,
    { expected: `at most ${quota.quota_items} items and ${quota.quota_bytes} bytes` },
  );
}

async function others(id: string, medium: PendingMedium): Promise<PendingItem[]> {
  const items: PendingItem[] = [];
  await medium.scan((record) => {
    const read = readRecord(record.id, record.text);
    if (read.kind === "item" && record.id !== id) items.push(read.item);
  });
  return items;
}

/** Those that nobody waits for first, then the oldest; none that is under way. */
function inOrderOfDropping(items: PendingItem[]): PendingItem[] {
  const rank = { expired: 0, dead: 1, waiting: 2, parked: 2, sending: 3 };
  return items.filter((item) => item.state !== "sending").sort((a, b) =>
    rank[a.state] - rank[b.state] || ms(a.created_at) - ms(b.created_at)
  );
}
