/** What crashes and strangers left in a pending store, put right. Everything here runs under the lock. */
import type { Clock } from "./clock.ts";
import type { Say } from "./log.ts";
import type { PendingMedium } from "./pending_medium.ts";
import { applyEvent, claimOverrun, type EventFacts, wreck } from "./pending_item.ts";
import { type PendingItem, readRecord, writeRecord } from "./pending_record.ts";
import type { UploaderSettings } from "./settings.ts";
import type { ItemEvent } from "./transitions.ts";

/** What repairs need. */
export interface RepairTools {
  medium: PendingMedium;
  clock: Clock;
  settings: UploaderSettings;
  say: Say;
}

/** Whether an item's sender is dead, or has overrun its time. */
export function isClaimLost(item: PendingItem, tools: Pick<RepairTools, "medium" | "clock">) {
  if (item.state !== "sending") return false;
  if (item.claim && tools.medium.isAlive(item.claim.owner) === false) return true;
  return claimOverrun(item, tools.clock.now());
}

/**
 * An item that a scan found wrong, looked at again: a record without bytes and a broken record end dead
 * with their reason, a lost claim goes back to waiting, or dead when it was the last attempt.
 *
 * @returns the item as it is now; null when there is none for this version
 */
export async function repairItem(id: string, tools: RepairTools): Promise<PendingItem | null> {
  const { medium, clock, settings, say } = tools;
  const text = await medium.read(id);
  if (text === null) return null;
  const read = readRecord(id, text);
  if (read.kind === "newer") return null;
  const bytes = await medium.bytes(id);
  if (read.kind === "broken") {
    say("dead", { id, code: "record_unreadable", message: read.reason });
    await medium.setAside(id);
    const hash = await bytes?.sha256() ?? "0".repeat(64);
    const item = wreck(id, read.reason, bytes?.size ?? 0, hash, clock.now());
    await medium.write(id, writeRecord(item));
    return item;
  }
  const { item } = read;
  if (!bytes) {
    if (item.last_error?.code === "bytes_missing" && item.state === "dead") return item; // known
    return await change("corrupt", "bytes_missing", `${item.file_path} isn't there`);
  }
  if (!isClaimLost(item, tools)) return item;
  const message = `the sender ${item.claim?.owner} did not come back`;
  return item.attempt_count >= settings.retry.max_attempts
    ? await change("exhausted", "attempts_exhausted", message)
    : await change("claim_lost", "connection_lost", message);

  async function change(event: ItemEvent, code: string, message: string) {
    const facts: EventFacts = { error: { code, message } };
    const next = applyEvent(item, event, facts, {
      now: clock.now(),
      random: clock.random,
      intervalSeconds: settings.retry.interval_seconds,
    });
    if (next) await medium.write(id, writeRecord(next));
    say(next?.state === "dead" ? "dead" : "recovered", { id, code, message });
    return next;
  }
}

/** Bytes without a record: of a save that nobody was told had succeeded, or of a removal half done. */
export async function removeOrphan(id: string, tools: RepairTools): Promise<void> {
  if (await tools.medium.read(id) !== null) return; // its record came since the scan
  await tools.medium.remove(id);
  tools.say("recovered", { id, what: "bytes without a record" });
}
