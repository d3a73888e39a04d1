/** One attempt at one pending item, from the claim to the event that its verdict makes of it. */
import { asSedimentError } from "../../errors.ts";
import { holdMs } from "./attempt.ts";
import type { Say } from "../log.ts";
import { about, type EventFacts } from "../pending/pending_item.ts";
import type { StoredBytes } from "../pending/pending_medium.ts";
import type { PendingItem, StartedUpload } from "../pending/pending_record.ts";
import type { PendingStore } from "../pending/pending_store.ts";
import type { Credential } from "../session/session.ts";
import type { UploaderSettings } from "../settings/settings.ts";
import type { ItemEvent } from "../transitions.ts";
import type { Reason } from "../reason.ts";
import type { StoredAnswer, Verdict } from "./verdict.ts";

/** Sends the bytes of a claimed item. */
export type Send = (
  item: PendingItem,
  bytes: StoredBytes,
  credential: Credential,
  signal: AbortSignal,
  onBegun: (upload: StartedUpload) => Promise<void>,
) => Promise<Verdict>;

/** The parts that an attempt needs. */
export interface TryParts {
  store: PendingStore;
  settings: UploaderSettings;
  say: Say;
  send: Send;
}

/** How an attempt ended. */
export type Tried =
  | { end: "stored"; answer: StoredAnswer | null; duplicate: boolean; removed: boolean }
  /** Nobody's fault: another sender has it, or it is gone. */
  | { end: "taken" }
  | {
    end: "waiting" | "dead" | "parked" | "unreachable" | "stopped";
    reason: Reason;
    item: PendingItem | null;
    retryAfterMs?: number;
    /** The whole batch should park. */
    wide?: boolean;
  };

/** Tries one item. Throws only when the pending folder can't be used. */
export async function tryItem(
  id: string,
  credential: Credential,
  signal: AbortSignal,
  parts: TryParts,
): Promise<Tried> {
  const { store, settings, say } = parts;
  const known = await store.get(id);
  const item = known && await store.claim(id, holdMs(known.size, settings.upload));
  if (!item) return { end: "taken" };
  const facts = { id, attempt: item.attempt_count, ...about(item) };
  say(item.attempt_count > 1 ? "retried" : "started", facts);
  const nonce = item.claim!.nonce;
  const verdict = await judge(item, credential, signal, parts);

  if (verdict.kind === "stored") {
    let removed = true;
    try {
      await store.apply(id, "stored");
    } catch {
      removed = false; // the caller remembers it: what is stored must not be sent again
    }
    const { duplicate, answer } = verdict;
    say("succeeded", { ...facts, duplicate, key: answer?.key, runs: runsOf(answer) });
    return { end: "stored", answer: verdict.answer, duplicate: verdict.duplicate, removed };
  }
  const { reason } = verdict;
  const spent = item.attempt_count >= settings.retry.max_attempts;
  const exhausted = verdict.kind === "retry" && !verdict.limited && spent;
  const eventFacts: EventFacts = {
    nonce,
    error: exhausted
      ? {
        ...reason,
        code: "attempts_exhausted",
        message: `attempt ${item.attempt_count}: ${reason.code}: ${reason.message}`,
      }
      : reason,
  };
  if (verdict.kind === "retry") {
    eventFacts.retryAfterMs = verdict.retryAfterMs;
    eventFacts.upload = verdict.upload ?? null;
  }
  if (verdict.kind === "refused") eventFacts.refusedCredential = credential.fingerprint;
  const after = await store.apply(id, eventOf(verdict, exhausted), eventFacts);
  const answer = { reason, item: after };
  if (after?.state === "dead") {
    say("dead", { ...facts, ...eventFacts.error });
    return { end: "dead", ...answer };
  }
  switch (verdict.kind) {
    case "refused":
      say("parked", { what: "item", ...facts, ...reason });
      return { end: "parked", wide: verdict.wide, ...answer };
    case "unreachable":
      return { end: "unreachable", ...answer };
    case "stopped":
      return { end: "stopped", ...answer };
    default:
      say("failed", { ...facts, ...reason, next_attempt_at: after?.next_attempt_at });
      return {
        end: "waiting",
        retryAfterMs: verdict.kind === "retry" ? verdict.retryAfterMs : undefined,
        ...answer,
      };
  }
}

/** The compaction runs that an answer names: one, or one a table. */
function runsOf(answer: StoredAnswer | null): string[] {
  const runs = Array.isArray(answer?.runs) ? answer.runs : [answer];
  return runs.map((run) => run?.metricId).filter((id) => typeof id === "string");
}

/** The verdict on an attempt; what is thrown on the way is one, too. */
async function judge(
  item: PendingItem,
  credential: Credential,
  signal: AbortSignal,
  { store, send }: TryParts,
): Promise<Verdict | { kind: "corrupt"; reason: Reason }> {
  let bytes: StoredBytes;
  try {
    bytes = await store.bytes(item);
  } catch (thrown) {
    const { code, message } = asSedimentError(thrown);
    const corrupt = code === "bytes_missing" || code === "bytes_changed";
    return { kind: corrupt ? "corrupt" : "retry", reason: { code, message } };
  }
  try {
    // That it can't be written down (a full disk) costs no more than the resuming.
    const onBegun = (upload: StartedUpload) =>
      store.begun(item.id, item.claim!.nonce, upload).catch(() => {});
    return await send(item, bytes, credential, signal, onBegun);
  } catch (thrown) {
    // A fault of ours in the middle: it spends an attempt, so that it can't repeat for ever.
    const { code, message } = asSedimentError(thrown);
    return { kind: "retry", reason: { code, message } };
  }
}

function eventOf(verdict: Verdict | { kind: "corrupt" }, exhausted: boolean): ItemEvent {
  switch (verdict.kind) {
    case "retry":
      return exhausted ? "exhausted" : verdict.limited ? "limited" : "failed";
    case "restart": // sendItem has turned it into a retry
      return "failed";
    default:
      return verdict.kind;
  }
}
