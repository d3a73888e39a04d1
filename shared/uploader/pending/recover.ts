/** All that a pending store holds, with what crashes and strangers left put right on the way. */
import type { PendingItem } from "./pending_record.ts";
import type { Records } from "./records.ts";
import { isClaimLost, repairItem, type RepairTools } from "./repair_item.ts";
import { locked } from "./store_guard.ts";

/** What the recovery needs. */
export interface RecoverTools extends RepairTools {
  records: Records;
}

/**
 * All items, oldest first. Half pairs, torn records and claims of the dead are put right; records of newer
 * versions, foreign files and unreadable ones are left alone and named in the log.
 */
export async function recover(tools: RecoverTools): Promise<PendingItem[]> {
  const { medium, records, say } = tools;
  if (records.behind) await locked(medium, () => records.catchUp());
  const items: PendingItem[] = [];
  const wrong: string[] = [];
  const scan = await medium.scan(({ id, text, hasBytes }) => {
    const read = records.understand(id, text);
    if (read.kind === "newer") say("skipped_newer", { id, version: read.version });
    else if (read.kind === "item" && hasBytes && !isClaimLost(read.item, tools)) {
      items.push(read.item);
    } else wrong.push(id);
  });
  for (const { id, reason } of scan.unreadable) say("unreadable", { id, message: reason });
  if (scan.foreign.length > 0) {
    say("foreign", { count: scan.foreign.length, names: scan.foreign.slice(0, 5) });
  }
  if (wrong.length > 0) {
    await locked(medium, async () => {
      for (const id of wrong) {
        const item = await repair(id, tools);
        if (item) items.push(item);
      }
    });
  }
  // Instants are written one way, so their texts sort as they do.
  return items.sort((a, b) => compare(a.created_at, b.created_at) || compare(a.id, b.id));
}

/**
 * Start-up: removes what unfinished saves and removals of dead processes left (bytes without a record:
 * nobody was told that they were saved, or the service has them).
 */
export async function sweepLeftovers({ medium, say }: RecoverTools): Promise<void> {
  await locked(medium, async () => {
    const parts = await medium.sweep();
    const { orphans } = await medium.scan(() => {});
    if (orphans.length > 0) await medium.removeBytes(orphans);
    const count = parts + orphans.length;
    if (count > 0) say("recovered", { what: "unfinished saves", count });
  });
}

async function repair(id: string, tools: RecoverTools): Promise<PendingItem | null> {
  const read = await tools.records.look(id);
  if (read === null || read.kind === "newer") return null;
  const found = read.kind === "item" ? read.item : { reason: read.reason };
  const repaired = await repairItem(id, found, tools);
  if (repaired && repaired !== found) await tools.records.write(repaired);
  return repaired;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
