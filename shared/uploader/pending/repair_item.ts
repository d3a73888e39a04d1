/** What crashes and strangers left in a pending store, put right. Everything here runs under the lock. */
import type { Clock } from "../../clock.ts";
import type { Say } from "../log.ts";
import type { PendingMedium } from "./pending_medium.ts";
import { applyEvent, claimOverrun, type EventFacts, unreadableItem } from "./pending_item.ts";
import type { PendingItem } from "./pending_record.ts";
import type { UploaderSettings } from "../settings/settings.ts";
import type { ItemEvent } from "../transitions.ts";

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
 * An item that a scan found wrong, looked at again: one without bytes and a broken record end dead with
 * their reason, a lost claim goes back to waiting, or dead when it was the last attempt.
 *
 * @param found the item, or why its record could not be read
 * @returns the item as it should be written down; the same when nothing is wrong with it any more
 */
export async function repairItem(
  id: string,
  found: PendingItem | { reason: string },
  tools: RepairTools,
): Promise<PendingItem | null> {
  const { medium, clock, settings, say } = tools;
  const bytes = await medium.bytes(id);
  if ("reason" in found) {
    say("dead", { id, code: "record_unreadable", message: found.reason });
    await medium.setAside(id);
    const hash = await bytes?.sha256() ?? "0".repeat(64);
    return unreadableItem(id, found.reason, bytes?.size ?? 0, hash, clock.now());
  }
  if (!bytes) {
    if (found.last_error?.code === "bytes_missing" && found.state === "dead") return found; // known
    return change(found, "corrupt", "bytes_missing", `${found.file_path} isn't there`);
  }
  if (!isClaimLost(found, tools)) return found;
  const message = `the sender ${found.claim?.owner} did not come back`;
  return found.attempt_count >= settings.retry.max_attempts
    ? change(found, "exhausted", "attempts_exhausted", message)
    : change(found, "claim_lost", "connection_lost", message);

  function change(item: PendingItem, event: ItemEvent, code: string, message: string) {
    const facts: EventFacts = { error: { code, message } };
    const next = applyEvent(item, event, facts, {
      now: clock.now(),
      random: clock.random,
      intervalSeconds: settings.retry.interval_seconds,
    });
    say(next?.state === "dead" ? "dead" : "recovered", { id, code, message });
    return next;
  }
}
