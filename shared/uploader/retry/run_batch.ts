/** One batch of the retry service: what is pending is planned, what is too old expires, the rest is tried. */
import { askSession, type NoCredential } from "../session/ask_session.ts";
import type { BatchReport } from "./batch_report.ts";
import type { Clock } from "../../clock.ts";
import type { Say } from "../log.ts";
import type { PendingItem } from "../pending/pending_record.ts";
import type { PendingStore } from "../pending/pending_store.ts";
import { type BatchPlan, isOurs, planBatch } from "./plan_batch.ts";
import { sendBatch } from "./send_batch.ts";
import type { Credential, Session } from "../session/session.ts";
import type { UploaderSettings } from "../settings/settings.ts";
import type { Tried } from "../send/try_item.ts";

/** What a batch needs of the service that runs it. */
export interface BatchParts {
  store: PendingStore;
  session: Session;
  settings: UploaderSettings;
  clock: Clock;
  say: Say;
  /** Origin of the server whose items are sent. */
  origin: string;
  signal: AbortSignal;
  /** Parks or pauses, because there is no credential. */
  hold(none: NoCredential): void;
  tryOne(item: PendingItem, credential: Credential): Promise<Tried>;
  /** What an attempt means for the service; true when the batch should end. */
  react(tried: Tried, credential: Credential, failuresInARow: number): Promise<boolean>;
}

/**
 * Runs a batch, under the lock that keeps it the only one.
 *
 * @param report counted in as it goes
 * @throws what the pending folder throws
 */
export async function runBatch(parts: BatchParts, report: BatchReport): Promise<void> {
  const { store, session, settings, clock, origin } = parts;
  const byHand = report.trigger === "manual";
  const asked = await askSession(session);
  const plan = planBatch(await store.list(), {
    now: clock.now(),
    origin,
    credential: asked.token === null ? null : asked,
    force: byHand,
    retry: settings.retry,
  });
  count(plan, parts, report);
  for (const item of plan.expired) await expire(item, parts);
  if (plan.due.length === 0) return;
  if (asked.token === null) return parts.hold(asked);
  let failuresInARow = 0;
  report.deferred += await sendBatch(plan.due, {
    concurrency: settings.upload.concurrency,
    pauseMs: byHand ? 0 : settings.retry.item_interval_seconds * 1000,
    clock,
    signal: parts.signal,
    async tryOne(item) {
      // Each item asks anew: a batch may last longer than the token that it began with, or than the user's session.
      const credential = await askSession(session);
      if (credential.token === null) {
        parts.hold(credential);
        report.deferred++;
        return "over";
      }
      if (!isOurs(item, origin, credential)) {
        report.deferred++;
        return "on";
      }
      const tried = await parts.tryOne(item, credential);
      if (tried.end === "stopped") report.deferred++;
      else if (tried.end !== "taken") report.attempted++;
      if (tried.end === "stored") report.stored++;
      else if (tried.end === "dead") report.dead++;
      else if (tried.end !== "taken" && tried.end !== "stopped") report.failed++;
      failuresInARow = tried.end === "waiting" ? failuresInARow + 1 : 0;
      const over = await parts.react(tried, credential, failuresInARow);
      return over ? "over" : tried.end === "stored" ? "well" : "on";
    },
  });
}

async function expire(item: PendingItem, { store, settings, say }: BatchParts): Promise<void> {
  const last = item.last_error ? `; last: ${item.last_error.code}` : "";
  const error = {
    code: "upload_expired",
    message: `${item.attempt_count} attempts in ${settings.retry.ttl_seconds} s${last}`,
  };
  const after = await store.apply(item.id, "ttl", { error });
  if (after?.state === "expired") say("expired", { id: item.id, ...error });
}

function count(plan: BatchPlan, { say }: BatchParts, report: BatchReport): void {
  report.pending = plan.due.length + plan.deferred.length + plan.duplicates.length +
    plan.foreign.length;
  report.deferred = plan.deferred.length;
  report.expired = plan.expired.length;
  report.duplicates = plan.duplicates.length;
  for (const { id } of plan.duplicates) say("skipped_duplicate", { id });
  if (plan.foreign.length > 0) say("skipped_user", { count: plan.foreign.length });
}
